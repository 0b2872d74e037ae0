// The erasures' schedule: what is due to be erased, the read model says; whether it is, the subject's stream decides.
import { eraseUser } from '../../commands/erasure/erase.ts'
import { eraseTester, type TesterErasureDeps } from '../../commands/erasure/erase-tester.ts'
import { categoryOf, streamIdOf } from '../../domain/catalogue.ts'
import type { DueErasure, ErasureQueries } from '../../queries.ts'
import type { ReactorLog } from '../engine.ts'
import { runSchedule, type RunningSchedule } from '../schedule.ts'

export interface ScheduleOptions extends TesterErasureDeps {
  erasures: Pick<ErasureQueries, 'due'>
  log: ReactorLog
  /** Time between two looks, in ms. */
  everyMs?: number
}

export const runErasures = ({ erasures, log, everyMs, ...deps }: ScheduleOptions): RunningSchedule => runSchedule<DueErasure>({
  name: 'erasure',
  due: (now, limit, after) => erasures.due(now, limit, after),
  streamOf: ({ subject }) => subject,
  carryOut: ({ subject }) => erase(deps, subject),
  clock: deps.clock,
  log,
  ...everyMs !== undefined && { everyMs }
})

const erase = (deps: TesterErasureDeps, subject: string): Promise<boolean> => {
  const id = streamIdOf(subject)
  return categoryOf(subject) === 'user' ? eraseUser(deps, id) : eraseTester(deps, id)
}
