// A campaign, kept out of `npm test`: fifty deletions under load while Redis fails, as many rounds as are asked for
// (`ROUNDS=100 npm run campaign`). It prints its seed; `SEED=…` repeats the order of the failures.
import { randomInt } from 'node:crypto'
import { rm } from 'node:fs/promises'
import t from 'tap'
import { copyOf, entryIds, makeUsers, redisFailures, removeUnder } from '../support/deletions.ts'
import { streamFaults } from '../support/lifecycle.ts'
import { logOf } from '../support/log.ts'
import { testRedis } from '../support/redis.ts'
import { testService } from '../support/service.ts'
import { until } from '../support/until.ts'

const rounds = Number(process.env['ROUNDS'] ?? 100)
const seed = Number(process.env['SEED'] ?? randomInt(2 ** 31))
const DELETIONS = 50

/** A small seeded generator (mulberry32): the order of the failures can be repeated. */
const generator = (from: number) => {
  let state = from
  return (): number => {
    state = (state + 0x6D2B79F5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return (mixed ^ (mixed >>> 14)) >>> 0
  }
}

t.setTimeout(0)
t.test(`${rounds} rounds, seed ${seed}`, async (t) => {
  t.setTimeout(0)
  const random = generator(seed)
  const server = await testRedis(t)
  const redis = server.client()
  const service = await testService(t, { env: { CHANCERY_REDIS_URL: server.url } })
  const log = await logOf(t, service.env)
  const names = Object.keys(redisFailures)
  const counts = new Map<string, number>()
  let [whole, seconds] = [0, 0]
  for (let round = 1; round <= rounds; round++) {
    const users = await makeUsers(service, DELETIONS)
    const copy = await copyOf(server)
    const name = names[random() % names.length] ?? ''
    const began = performance.now()
    const answers = await removeUnder(service, users, () => redisFailures[name]?.(server, copy) ?? Promise.resolve(), random() % 9)
    seconds += (performance.now() - began) / 1000
    whole += DELETIONS
    if (answers.some((status) => status !== 200)) t.fail(`round ${round}, ${name}: ${answers.filter((status) => status !== 200).join()}`)
    await until(async () => (await entryIds(redis)).length >= whole, 60_000)
    const faults = await streamFaults(log, redis)
    if (faults.length > 0) t.fail(`round ${round}, ${name}: ${faults.slice(0, 20).join(', ')}`)
    // A machine that is busy with other things is told to come back: that is no finding.
    let compared = await service.request('POST', '/api/v1/operations/lifecycle/verify', {})
    for (let left = 20; compared.status === 503 && left > 0; left--) compared = await service.request('POST', '/api/v1/operations/lifecycle/verify', {})
    const { status, body } = compared
    if (status !== 200 || body['entries'] !== whole || [body['missing'], body['extra'], body['different'], body['out_of_order']].some((found) => found !== 0)) {
      t.fail(`round ${round}, ${name}: ${JSON.stringify(body)}`)
    }
    counts.set(name, (counts.get(name) ?? 0) + 1)
    await rm(copy, { recursive: true })
    if (round % 10 === 0) t.comment(`${round} rounds; ${[...counts].map(([name, count]) => `${name}: ${count}`).join(', ')}; ${(round * DELETIONS / seconds).toFixed(0)} deletions/s while Redis failed`)
  }
  t.ok(t.passing(), `${rounds} rounds of ${DELETIONS} deletions: nothing missing, double or out of order`)
})
