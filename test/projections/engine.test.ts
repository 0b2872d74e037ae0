// The projector engine on real stores: batches, checkpoints, standing by, poison, forks, lost connections.
import t from 'tap'
import { testers } from '../../src/projections/testers.ts'
import { tokens } from '../../src/projections/tokens.ts'
import { users } from '../../src/projections/users.ts'
import { appendLives, appendRefusals, engine, ground, life } from './support.ts'

const random = (below: number): number => Math.floor(Math.random() * below)

t.test('follows the log: one event when idle, many when behind; every event of ours moves every checkpoint', async (t) => {
  const base = await ground(t)
  const before = await appendRefusals(base.log, 500)
  const running = await engine(t, base, [users, testers, tokens])
  t.equal(await running.positions.waitFor(['users', 'testers', 'tokens'], before), undefined)
  const started = performance.now()
  for (let i = 0; i < 20; i++) {
    const position = await appendRefusals(base.log, 1)
    t.equal(await running.positions.waitFor(['users', 'testers', 'tokens'], position), undefined)
  }
  t.comment(`an event is in three read models ${((performance.now() - started) / 20).toFixed(1)} ms after it was sent`)
  const last = await appendLives(base.log, Array.from({ length: 50 }, () => life(random)))
  t.equal(await running.positions.waitFor(['users', 'testers', 'tokens'], last), undefined)
  t.comment(`batches: ${running.batches.join(' ')}`)
  t.comment(await running.operations.list())
  t.same(running.alarms, [])
})
