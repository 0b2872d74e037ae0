// Killed at random under 64 appends in flight, 50 times: what was acknowledged is there, once, at its place, without gaps.
import { randomInt, randomUUID } from 'node:crypto'
import t from 'tap'
import { scratchFolder, signal, storeProcess } from './support.ts'
import { Appender, type Seen, WireClient, readEvents } from './wire-client.ts'

const KILLS = 50
const IN_FLIGHT = 64

t.setTimeout(180_000)

t.test(`${KILLS} kills under ${IN_FLIGHT} appends in flight`, async (t) => {
  const dataDir = scratchFolder(t)
  const acknowledged = new Map<string, { stream: string, revision: number, position?: number }>()
  const known = new Map<string, Seen>()
  const lastRevision = new Map<string, bigint>()
  let head = 0
  let wrong = 0
  const check = (holds: boolean, what: string): void => {
    if (!holds && wrong++ < 10) t.fail(what)
  }

  /** Reads what is new since the last kill and compares it with what was acknowledged. */
  const verify = async (client: WireClient): Promise<void> => {
    const all = await readEvents(client, head === 0 ? {} : { from: head })
    for (const event of head === 0 ? all : all.slice(1)) {
      check(event.position > head, `position ${event.position} comes after ${head}`)
      check(!known.has(event.id), `${event.id} is there once`)
      const expected = (lastRevision.get(event.stream) ?? -1n) + 1n
      check(event.revision === expected, `${event.stream}: revision ${event.revision} follows ${expected - 1n}`)
      head = event.position
      known.set(event.id, event)
      lastRevision.set(event.stream, event.revision)
    }
    for (const [id, { stream, revision, position }] of acknowledged) {
      const found = known.get(id)
      check(found?.stream === stream && Number(found.revision) === revision && (position ?? found.position) === found.position, `${id} was acknowledged as ${stream}@${revision}`)
    }
    acknowledged.clear()
  }

  let total = 0
  for (let kill = 0; kill <= KILLS; kill++) {
    const store = await storeProcess(t, dataDir)
    const client = new WireClient(store.port)
    await verify(client)
    if (kill === KILLS) {
      // the index of each stream agrees with the log
      for (const [stream, last] of lastRevision) {
        const events = await readEvents(client, { stream })
        check(stream.startsWith('$$') || events.length === Number(last) + 1, `${stream} holds ${events.length} of ${last + 1n}`)
        check(events.every(({ id, position }) => known.get(id)?.position === position), `${stream} agrees with the log`)
      }
      client.close()
      t.equal(await store.kill('SIGTERM'), 0, 'it stops in order')
      break
    }
    // a random number of acknowledgements later, so that every kill hits work in progress
    const target = total + randomInt(1, 400)
    const reached = signal()
    const appender = new Appender(client)
    const writer = async (stream: string): Promise<void> => {
      for (;;) {
        const ids = Array.from({ length: randomInt(1, 4) }, () => randomUUID())
        const answer = await Promise.race([appender.append(stream, 'any', ids.map((id) => ({ id, data: '{"n":1}' }))), appender.ended])
        if (!('revision' in answer) || answer.position === undefined) return
        for (const [i, id] of ids.entries()) acknowledged.set(id, { stream, revision: answer.revision - ids.length + 1 + i })
        acknowledged.set(ids.at(-1) ?? '', { stream, revision: answer.revision, position: answer.position })
        if (++total >= target) reached.done()
      }
    }
    const writers = Array.from({ length: IN_FLIGHT }, (_, n) => writer(`s-${n % 16}`))
    await reached.promise
    await store.kill('SIGKILL')
    client.close()
    await Promise.all(writers)
  }
  t.equal(wrong, 0, `${total} acknowledged appends, ${known.size} events: none lost, none twice, no gap`)
  t.ok(total > KILLS, 'something was acknowledged before every kill')
})
