// From history to live: subscribers that start while writers write see each event once and in order, over 1,000 starts.
import { randomUUID } from 'node:crypto'
import t from 'tap'
import { quickFolder, signal, storeHere } from './support.ts'
import { Appender, type Seen, type WireClient, eventOf, kindOf, readEvents, readRequest, wireClient } from './wire-client.ts'

const STARTS = 1_000
const AT_ONCE = 40
/** Events to see after "caught up", so that the seam lies in the middle. */
const LIVE = 8
const STREAM = 'even'
const CAUGHT_UP = 8

interface Run { readonly from: number | 'start', readonly kind: 'all' | 'filtered' | 'stream', readonly seen: Seen[], caughtUps: number }

const subscribe = (client: WireClient, kind: Run['kind'], from: number | 'start'): Promise<Run> => {
  const run: Run = { from, kind, seen: [], caughtUps: 0 }
  const call = client.call('Read')
  call.send(readRequest({ from, ...kind === 'stream' ? { stream: STREAM } : {}, ...kind === 'filtered' ? { typePrefix: 'odd' } : {} }))
  const done = signal()
  let live = 0
  call.onMessage = (message) => {
    call.messages.length = 0
    const event = eventOf(message)
    if (event) {
      run.seen.push(event)
      if (run.caughtUps > 0 && ++live >= LIVE) done.done()
    } else if (kindOf(message) === CAUGHT_UP) run.caughtUps++
  }
  return Promise.race([done.promise, call.ended]).then(() => {
    call.cancel()
    return run
  })
}

t.setTimeout(120_000)

t.test(`${STARTS} starts while writers write`, async (t) => {
  const { port } = await storeHere(t, quickFolder(t))
  const [writer, reader] = [wireClient(t, port), wireClient(t, port)]
  const appender = new Appender(writer)
  const over = new AbortController()
  const positions: number[] = []
  const write = async (): Promise<void> => {
    for (let n = 0; !over.signal.aborted; n++) {
      const odd = n % 2 === 1
      const events = Array.from({ length: 1 + n % 3 }, () => ({ id: randomUUID(), type: odd ? 'odd' : 'even' }))
      const answer = await appender.append(odd ? 'odd' : STREAM, 'any', events)
      if (!('revision' in answer)) throw new Error(`append failed: ${answer.name}`)
      positions.push(odd ? answer.position ?? 0 : -answer.revision)
      // leaves the readers some of the machine
      if (n % 4 === 0) await new Promise(setImmediate)
    }
  }
  const writers = [write(), write(), write()]
  const runs: Run[] = []
  let started = 0
  const start = async (): Promise<void> => {
    while (started < STARTS) {
      const kind = (['all', 'filtered', 'stream'] as const)[started++ % 3] ?? 'all'
      // somewhere in the last events: the catch-up then takes one page or none
      const recent = positions.slice(-60).filter((place) => kind === 'stream' ? place <= 0 : place > 0)
      const place = recent[started % Math.max(1, recent.length)]
      runs.push(await subscribe(reader, kind, place === undefined ? 'start' : Math.abs(place)))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, start))
  over.abort()
  await Promise.all(writers)

  const log = await readEvents(reader, {})
  const lists = { all: log, filtered: log.filter(({ stream }) => stream === 'odd'), stream: log.filter(({ stream }) => stream === STREAM) }
  let wrong = 0
  for (const { from, kind, seen, caughtUps } of runs) {
    const list = lists[kind]
    // exactly what follows the place it began at, without a gap
    const first = from === 'start' ? 0 : list.findIndex(({ position, revision }) => (kind === 'stream' ? Number(revision) : position) > from)
    const expected = list.slice(first, first + seen.length)
    if (caughtUps === 1 && seen.length >= LIVE && expected.length === seen.length && seen.every(({ id }, i) => id === expected[i]?.id)) continue
    if (wrong++ < 5) t.fail(`${kind} from ${from}: ${seen.length} events, caught up ${caughtUps} times`)
  }
  t.equal(runs.length, STARTS)
  t.equal(wrong, 0, `each event once and in order, in ${STARTS} starts over ${log.length} events`)
})
