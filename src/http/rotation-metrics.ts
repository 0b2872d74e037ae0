// What rotations show of themselves in Prometheus's form: how many are open in which state, and which an operator should look at.
import { Gauge, type Registry } from 'prom-client'
import { openJob } from '../domain/credential/credential.ts'
import { hasEnded, jobStates, type JobView } from '../domain/rotation/job.ts'
import { jobView } from '../domain/rotation/view.ts'
import type { RotationRules } from '../domain/rotation/rules.ts'
import type { Clock } from '../ports.ts'
import type { RotationQueries } from '../rotation-queries.ts'

export interface RotationFigures { rotations: Pick<RotationQueries, 'open' | 'dueCount'>, clock: Clock, rules: RotationRules }

/** Registers them; the read model is asked whenever the page is read, and what it does not answer is left out. */
export const registerRotationMetrics = (registry: Registry, { rotations, clock, rules }: RotationFigures): void => {
  const registers = [registry]
  const open = new Gauge({
    name: 'chancery_rotations_open',
    help: 'Open rotations by state.',
    registers,
    labelNames: ['state'] as const,
    collect: async () => {
      const found = await opened()
      open.reset()
      if (found === undefined) return
      for (const state of jobStates) if (!hasEnded(state)) open.set({ state }, found.filter((view) => view.state === state).length)
    }
  })
  const alarms = new Gauge({
    name: 'chancery_rotation_alarms',
    help: 'Open rotations that an operator should look at: the job says why.',
    registers,
    labelNames: ['credential', 'state'] as const,
    collect: async () => {
      const found = await opened()
      alarms.reset()
      for (const { alarm, credential, state } of found ?? []) if (alarm !== undefined) alarms.set({ credential, state }, 1)
    }
  })
  const due: Gauge = new Gauge({
    name: 'chancery_credentials_due',
    help: 'Credentials of which a rotation is due and none is open.',
    registers,
    collect: async () => {
      const found = await rotations.dueCount(clock.now()).catch(() => undefined)
      // Not `reset`, which says that none is due.
      due.remove()
      if (found !== undefined) due.set(found)
    }
  })

  let looking: Promise<JobView[] | undefined> | undefined
  /** Both gauges are collected at once: one look serves both. */
  const opened = (): Promise<JobView[] | undefined> => {
    looking ??= look().catch(() => undefined).finally(() => { looking = undefined })
    return looking
  }
  const look = async (): Promise<JobView[]> => {
    const now = clock.now()
    return (await rotations.open()).flatMap((credential) => {
      const job = openJob(credential)
      return (job && jobView(credential, job.rotationId, now, rules)) ?? []
    })
  }
}
