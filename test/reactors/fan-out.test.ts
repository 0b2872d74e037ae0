// Fan-outs: bounded concurrency, and batches that fit into one append.
import { setImmediate } from 'node:timers/promises'
import t from 'tap'
import { eachOf, gather, inFacts } from '../../src/reactors/rotation/fan-out.ts'

const pause = () => setImmediate()

t.test('outcomes that come one by one are gathered for a while, and no longer than until the last has come', async (t) => {
  const batches: number[][] = []
  const pauses: Array<() => void> = []
  const results = gather<number>(async (batch) => { batches.push(batch) }, (milliseconds) => {
    t.ok(milliseconds <= 10)
    return new Promise((resolve) => { pauses.push(() => { resolve(undefined) }) })
  })
  results.add(1)
  await setImmediate()
  results.add(2)
  await setImmediate()
  t.strictSame(batches, [])
  pauses.shift()?.()
  await setImmediate()
  t.strictSame(batches, [[1, 2]], 'nobody waits for those that are still to come')
  results.add(3)
  await setImmediate()
  results.add(4)
  await results.end()
  t.strictSame(batches, [[1, 2], [3, 4]])
})

t.test('outcomes are gathered by number and by size, in order, none lost', async (t) => {
  for (const [size, most] of [[10, 400], [20_000, 26], [700_000, 1]] as const) {
    const batches: string[][] = []
    const results = gather<string>(async (batch) => {
      batches.push(batch)
      await setImmediate()
    }, pause)
    const items = Array.from({ length: 550 }, (_, n) => `${n}`.padStart(size, '.'))
    for (const item of items) results.add(item)
    await results.end()
    t.strictSame(batches.flat(), items, `${size} characters each`)
    t.equal(Math.max(...batches.map((batch) => batch.length)), most)
    t.ok(batches.every((batch) => batch.length === 1 || Buffer.byteLength(JSON.stringify(batch)) < 1024 * 1024), 'each fits into an append')
  }
})

t.test('an append holds as many facts as its outcomes need', (t) => {
  for (const [outcomes, facts] of [[1, [1]], [100, [100]], [101, [100, 1]], [400, [100, 100, 100, 100]]] as const) {
    const batch = Array.from({ length: outcomes }, (_, n) => n)
    t.strictSame(inFacts(batch).map((fact) => fact.length), facts)
    t.strictSame(inFacts(batch).flat(), batch)
  }
  t.end()
})

t.test('an append that fails is told, and nothing is begun after it', async (t) => {
  let appends = 0
  const results = gather<number>(async () => {
    appends++
    throw new Error('away')
  }, pause)
  results.add(1)
  await setImmediate()
  await setImmediate()
  results.add(2)
  await t.rejects(results.end(), { message: 'away' })
  t.equal(appends, 1)
})

t.test('many at a time, but not all', async (t) => {
  let [underWay, most] = [0, 0]
  await eachOf(Array.from({ length: 600 }, (_, n) => n), async () => {
    most = Math.max(most, ++underWay)
    await setImmediate()
    underWay--
  })
  t.equal(most, 256)
  await t.rejects(eachOf([1, 2, 3], async (n) => { if (n === 2) throw new Error('two') }), { message: 'two' })
})
