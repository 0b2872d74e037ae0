// What rotations show of themselves in Prometheus's form: how many are open in which state, and which an operator should look at.
import { Gauge, type Registry } from 'prom-client'
import { hasEnded, jobStates } from '../domain/rotation/job.ts'
import type { RotationQueries } from '../rotation-queries.ts'
import { openJobs, type OpenJobsDeps } from './open-jobs.ts'

export type RotationFigures = OpenJobsDeps & { rotations: Pick<RotationQueries, 'dueCount'> }

/** Registers them; the read model is asked whenever the page is read, and what it does not answer is left out. */
export const registerRotationMetrics = (registry: Registry, { rotations, clock, rules }: RotationFigures): void => {
  const registers = [registry]
  /** Both gauges are collected at once. */
  const opened = openJobs({ rotations, clock, rules })
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
    help: 'Rotations that an operator should look at, open ones and those that left a required consumer without a value: the job says why.',
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
}
