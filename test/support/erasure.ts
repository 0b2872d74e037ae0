// Records on their way out, for tests: the ghost reset's ground, with the erasures' read model and schedule beside it.
import type { Test } from 'tap'
import { erasureQueries } from '../../infra/postgres/queries/erasures.ts'
import { Clear } from '../../src/domain/personal.ts'
import { userAggregate } from '../../src/domain/user/user.ts'
import type { KeyDestroyer } from '../../src/ports.ts'
import { startProjections } from '../../src/projections/engine.ts'
import { erasures } from '../../src/projections/erasures.ts'
import { runErasures, type ScheduleOptions } from '../../src/reactors/erasure/schedule.ts'
import { ghostGround, type GhostsOptions } from './ghosts.ts'
import { until } from './until.ts'

export const DAY = 86_400_000
export const COOLING = 30 * DAY
export const email = 'canary.person@example.com'
const quiet = { info: () => {}, warn: () => {}, error: () => {} }

export const erasureGround = async (t: Pick<Test, 'teardown'>, options: GhostsOptions = {}) => {
  const ground = await ghostGround(t, options)
  const { aggregates, clock, ids, log, vault, database } = ground
  // The database's clock has to agree that something is due, so the test's own stays behind it.
  clock.at = new Date(Date.now() - 400 * DAY)

  const projections = await startProjections({ database, log, projectors: [erasures], logger: quiet })
  t.teardown(() => projections.close())
  const index = erasureQueries(database)
  const caughtUp = async () => {
    await ground.caughtUp()
    const behind = await projections.positions.waitFor(['erasures'], (await log.last())?.position ?? 0n, 10_000)
    if (behind !== undefined) throw new Error('the read model does not catch up')
  }

  /** Mails that the erasure had removed. */
  const forgotten: string[] = []
  const deps = (keys: KeyDestroyer = vault): ScheduleOptions =>
    ({ aggregates, clock, ids, keys, erasures: index, log: quiet, forgetMail: async (mailId) => { forgotten.push(mailId) }, everyMs: 5 })

  const accountState = async (userId: string) => {
    const { state } = await aggregates.current(userAggregate, userId)
    if (state.status !== 'present') throw new Error('no account')
    return state
  }

  return {
    ...ground,
    index,
    caughtUp,
    forgotten,
    scheduleDeps: deps,
    holdDeps: { aggregates, events: log, ids },
    pass: (ms: number) => { clock.at = new Date(clock.at.getTime() + ms) },
    accountState,
    opened: async (userId: string) => vault.open((await accountState(userId)).email, `user-${userId}`),
    /** Runs the schedule until it has looked twice at what is there now. */
    look: async (): Promise<void> => {
      await caughtUp()
      let looks = 0
      const schedule = runErasures({ ...deps(), erasures: { due: async (...args) => { const due = await index.due(...args); looks++; return due } } })
      await until(() => looks >= 2)
      await schedule.stop()
      await caughtUp()
    },
    /** An account with something sealed in it; deleted now, unless it is to live. */
    account: async ({ live = false } = {}) => {
      const userId = ids.next()
      const subject = `user-${userId}`
      await ground.state(subject, [{
        type: 'user.registered', data: { userId, email: new Clear(email, subject), addressHash: 'a'.repeat(64), registeredAt: clock.at.toISOString() }
      }])
      if (!live) {
        const purgeAfter = new Date(clock.at.getTime() + COOLING).toISOString()
        await ground.state(subject, [{ type: 'user.deleted', data: { userId, deletedAt: clock.at.toISOString(), purgeAfter } }])
      }
      return { userId, subject }
    }
  }
}
