// The rotations' reactor: carries out what is due of a job, and appends what came of it, until the job waits.
import type { FetchDeps } from '../../commands/rotations/deps.ts'
import type { Deliveries } from '../../rotation-ports.ts'
import type { Reactor } from '../reactor.ts'

export type RotationReactorDeps = FetchDeps & {
  deliveries: Pick<Deliveries, 'seal' | 'push' | 'announce' | 'probe'>
  /** This process's own id, a new one for every start: tells whose claims are ours. */
  holder: string
}

export const rotationReactor = (deps: RotationReactorDeps): Reactor => ({
  name: 'rotation',
  intent: 'rotation.opened',
  carryOut: async () => undefined
})
