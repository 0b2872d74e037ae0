// E. Subscriptions to a stream.
import { es } from '../lib/client.mjs'
import { countOf, has, sleep, tapeLines } from '../lib/context.mjs'
import { clientError, eventLine } from '../lib/shape.mjs'
import { line } from '../lib/values.mjs'

const { NO_STREAM } = es
const U64_MAX = 18446744073709551615n

const seed = async (t, label, n, from = 'e') => {
  const stream = t.name(label)
  await t.client.appendToStream(stream, t.batch(from, n), { expectedRevision: NO_STREAM })
  return stream
}

/** Subscribes, lets it settle, then performs the actions and notes what each of them brings. */
async function follow (t, title, options, actions = []) {
  const tape = t.rawOpen({ subscribe: true, ...options })
  await tape.until(has('caughtUp'), 3000)
  await tape.quiet()
  t.record(`${title}: at first`, tapeLines(tape))
  for (const [name, act] of actions) {
    const before = tape.items.length
    try {
      await act()
    } catch (error) {
      t.record(`${title}: ${name} failed`, clientError(error))
    }
    await tape.quiet()
    t.record(`${title}: after ${name}`, tapeLines(tape, before))
  }
  tape.stop()
}

async function starts (t) {
  const stream = await seed(t, 'five', 5)
  const more = (label) => [['one more', () => t.client.appendToStream(stream, t.json(label))]]
  await follow(t, 'from start', { stream }, more('m1'))
  await follow(t, 'from end', { stream, from: 'end' }, more('m2'))
  await follow(t, 'from revision 0', { stream, from: 0 })
  await follow(t, 'from revision 2', { stream, from: 2 })
  await follow(t, 'from the last revision', { stream, from: 6 }, more('m3'))
  await follow(t, 'from beyond the end', { stream, from: 20 }, more('m4'))
  await follow(t, 'from the greatest number', { stream, from: U64_MAX }, more('m5'))
  await follow(t, 'three in one append', { stream, from: 'end' }, [
    ['three', () => t.client.appendToStream(stream, t.batch('t', 3))],
  ])
  await follow(t, 'a repeated append', { stream, from: 'end' }, [
    ['the first', async () => t.client.appendToStream(stream, (t.repeated = t.json('r')))],
    ['the repeat', () => t.client.appendToStream(stream, t.repeated)],
  ])
}

async function missing (t) {
  for (const from of ['start', 'end', 3]) {
    const stream = t.name(`from-${from}`)
    await follow(t, `missing stream, from ${from}`, { stream, from }, [
      ['one event', () => t.client.appendToStream(stream, t.json('e'))],
      ['five events', () => t.client.appendToStream(stream, t.batch('f', 5))],
    ])
  }
}

async function deletes (t) {
  for (const from of ['start', 'end']) {
    const stream = await seed(t, `soft-${from}`, 2)
    await follow(t, `soft delete, subscribed from ${from}`, { stream, from }, [
      ['the delete', () => t.client.deleteStream(stream)],
      ['an append', () => t.client.appendToStream(stream, t.json('again'))],
    ])
    const hard = await seed(t, `hard-${from}`, 2)
    await follow(t, `tombstone, subscribed from ${from}`, { stream: hard, from }, [
      ['the tombstone', () => t.client.tombstoneStream(hard)],
    ])
    const none = t.name(`none-${from}`)
    await follow(t, `tombstone of a missing stream, subscribed from ${from}`, { stream: none, from }, [
      ['the tombstone', () => t.client.tombstoneStream(none)],
    ])

    const gone = await seed(t, `gone-${from}`, 2)
    await t.client.deleteStream(gone)
    await follow(t, `already soft deleted, subscribed from ${from}`, { stream: gone, from }, [
      ['an append', () => t.client.appendToStream(gone, t.json('again'))],
    ])
    const buried = await seed(t, `buried-${from}`, 2)
    await t.client.tombstoneStream(buried)
    await follow(t, `already tombstoned, subscribed from ${from}`, { stream: buried, from })
  }
}

async function truncated (t) {
  const cut = await seed(t, 'cut', 6)
  await t.client.setStreamMetadata(cut, { truncateBefore: 3 })
  await follow(t, 'truncateBefore 3, from start', { stream: cut })
  await follow(t, 'truncateBefore 3, from revision 0', { stream: cut, from: 0 })
  const short = await seed(t, 'short', 6)
  await t.client.setStreamMetadata(short, { maxCount: 2 })
  await follow(t, 'maxCount 2, from start', { stream: short }, [
    ['three more', () => t.client.appendToStream(short, t.batch('m', 3))],
  ])
  const ahead = await seed(t, 'ahead', 2)
  await t.client.setStreamMetadata(ahead, { truncateBefore: 50 })
  await follow(t, 'truncateBefore beyond the end, from start', { stream: ahead }, [
    ['one more', () => t.client.appendToStream(ahead, t.json('m'))],
  ])
  const meta = t.name('meta')
  await follow(t, 'a metastream', { stream: `$$${meta}` }, [
    ['metadata', () => t.client.setStreamMetadata(meta, { maxCount: 3 })],
    ['more metadata', () => t.client.setStreamMetadata(meta, { maxCount: 4 })],
  ])
}

async function links (t) {
  const source = await seed(t, 'source', 3)
  const stream = t.name('links')
  const link = (label, text) => es.binaryEvent({ id: t.id(label), type: '$>', data: Buffer.from(text) })
  await t.client.appendToStream(stream, [link('l1', `1@${source}`), link('l2', `77@${source}`), t.json('plain')])
  const live = (n) => [
    ['a link to an event', () => t.client.appendToStream(stream, link(`live${n}`, `2@${source}`))],
    ['a link to nothing', () => t.client.appendToStream(stream, link(`dead${n}`, `78@${source}`))],
  ]
  await follow(t, 'resolving', { stream, resolveLinks: true }, live(1))
  await follow(t, 'not resolving', { stream, from: 2 }, live(2))
}

async function throughClient (t) {
  const stream = await seed(t, 's', 3)
  const seen = []
  const subscription = t.client.subscribeToStream(stream, { fromRevision: 0n })
  for (const name of ['confirmation', 'caughtUp', 'fellBehind', 'end', 'close']) subscription.on(name, () => seen.push(name))
  subscription.on('error', (error) => seen.push({ error: clientError(error) }))
  subscription.on('data', (event) => seen.push(eventLine(event)))
  await sleep(700)
  await t.client.appendToStream(stream, t.batch('live', 2))
  await sleep(500)
  t.record('events seen by the client', seen.slice())
  const before = seen.length
  await subscription.unsubscribe()
  await sleep(300)
  t.record('after unsubscribe', seen.slice(before))

  const doomed = await seed(t, 'doomed', 1)
  const late = []
  const other = t.client.subscribeToStream(doomed)
  for (const name of ['confirmation', 'caughtUp', 'end', 'close']) other.on(name, () => late.push(name))
  other.on('error', (error) => late.push({ error: clientError(error) }))
  other.on('data', (event) => late.push(eventLine(event)))
  await sleep(500)
  await t.client.tombstoneStream(doomed)
  await sleep(700)
  t.record('client, tombstone while subscribed', late)
  await other.unsubscribe().catch(() => {})
}

async function writingMeanwhile (t) {
  const stream = await seed(t, 's', 400)
  const extra = t.batch('x', 400)
  const tape = t.rawOpen({ stream, subscribe: true })
  const writes = Promise.all(extra.map((event) => t.client.appendToStream(stream, event)))
  await writes
  await tape.until(has('event', 800))
  await tape.quiet()
  const revisions = tape.items.flatMap((item) =>
    item.hasEvent?.() ? [Number(item.getEvent().getEvent().getStreamRevision())] : []
  )
  t.record('subscribed while 400 are being written behind 400', {
    events: revisions.length,
    'in order, none twice, none missing': revisions.every((revision, i) => revision === i),
    confirmations: countOf(tape.items, 'confirmation'),
    'caughtUp at least once': countOf(tape.items, 'caughtUp') >= 1,
  })
}

async function slowReader (t) {
  const stream = await seed(t, 's', 1)
  const tape = t.rawOpen({ stream, from: 'start', subscribe: true })
  await tape.until(has('caughtUp'), 3000)
  const call = tape.source
  call.pause()
  const blob = Buffer.alloc(4096, 1)
  for (let round = 0; round < 20; round++) {
    const events = Array.from({ length: 200 }, () => es.binaryEvent({ type: 'b', data: blob, id: t.id('b') }))
    await t.client.appendToStream(stream, events)
  }
  await sleep(1000)
  call.resume()
  await tape.until(has('event', 4001), 20_000)
  await tape.quiet()
  const kinds = tape.items.map((item) => (item.hasEvent?.() ? 'event' : item.hasCaughtUp?.() ? 'caughtUp' : item.hasFellBehind?.() ? 'fellBehind' : 'other'))
  const revisions = tape.items.flatMap((item) =>
    item.hasEvent?.() ? [Number(item.getEvent().getEvent().getStreamRevision())] : []
  )
  const states = kinds.filter((kind) => kind === 'caughtUp' || kind === 'fellBehind')
  t.record('a reader that stops reading while 16 MB are written', {
    'events in order, none twice, none missing': revisions.length === 4001 && revisions.every((revision, i) => revision === i),
    'fellBehind seen': states.includes('fellBehind'),
    'last of them': states.at(-1),
    ended: tape.end === undefined ? 'no' : line`${tape.end === 'end' ? 'end' : tape.end.code}`,
  })
}

export const scenarios = [
  { name: 'subscribe stream: where it starts', run: starts },
  { name: 'subscribe stream: missing stream', run: missing },
  { name: 'subscribe stream: deletes', run: deletes },
  { name: 'subscribe stream: truncation', run: truncated },
  { name: 'subscribe stream: links', run: links },
  { name: 'subscribe stream: through the client', run: throughClient },
  { name: 'subscribe stream: writes meanwhile', run: writingMeanwhile },
  { name: 'subscribe stream: slow reader', run: slowReader },
]
