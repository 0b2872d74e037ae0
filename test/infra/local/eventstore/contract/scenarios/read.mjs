// B. Reads of streams and of $all.
import { es } from '../lib/client.mjs'
import { sleep, table, tapeLines, kindOf } from '../lib/context.mjs'
import { errorLine, eventLine, fullEvent, readRespLine, wireError, wireRecordFull } from '../lib/shape.mjs'
import { line } from '../lib/values.mjs'

const { NO_STREAM, BACKWARDS, FORWARDS, START, END } = es
const I64_MAX = 9223372036854775807n
const U64_MAX = 18446744073709551615n

const seed = async (t, label, n) => {
  const stream = t.name(label)
  await t.client.appendToStream(stream, t.batch('e', n), { expectedRevision: NO_STREAM })
  return stream
}

async function ranges (t) {
  const stream = await seed(t, 'ten', 10)
  for (const direction of [FORWARDS, BACKWARDS]) {
    const rows = []
    for (const from of [START, END, 0n, 4n, 9n, 10n, 100n, I64_MAX, U64_MAX]) {
      for (const maxCount of [undefined, 0, 1, 3, 100]) {
        rows.push([`from ${from}, maxCount ${maxCount ?? '-'}`, { from, maxCount }])
      }
    }
    t.record(
      direction,
      await table(
        rows,
        async ({ from, maxCount }) =>
          line`[${(await t.revisions(stream, { direction, fromRevision: from, maxCount })).join(' ')}]`,
        errorLine
      )
    )
  }
}

async function messages (t) {
  const stream = await seed(t, 'ten', 10)
  for (const [title, options] of [
    ['forwards, all', {}],
    ['forwards, count 3', { count: 3 }],
    ['forwards from 7, count 3 (exactly to the end)', { from: 7, count: 3 }],
    ['forwards from 10', { from: 10 }],
    ['forwards from 100', { from: 100 }],
    ['forwards from end', { from: 'end' }],
    ['forwards, count 0', { count: 0 }],
    ['backwards from end, count 2', { from: 'end', backwards: true, count: 2 }],
    ['backwards from start', { from: 'start', backwards: true }],
    ['backwards from 100, count 2', { from: 100, backwards: true, count: 2 }],
    ['backwards from end, count 0', { from: 'end', backwards: true, count: 0 }],
  ]) {
    await t.step(title, () => t.rawReadLines({ stream, ...options }))
  }
  await t.step('missing stream, forwards', () => t.rawReadLines({ stream: t.name('none') }))
  await t.step('missing stream, backwards', () => t.rawReadLines({ stream: t.name('none'), from: 'end', backwards: true }))
  await t.step('missing stream, forwards from 5', () => t.rawReadLines({ stream: t.name('none'), from: 5 }))
  await t.step('missing stream, count 0', () => t.rawReadLines({ stream: t.name('none'), count: 0 }))
}

// The client never sends a control option; with one, a server may tell more.
async function compatibility (t) {
  const stream = await seed(t, 'five', 5)
  const cut = await seed(t, 'cut', 5)
  await t.client.setStreamMetadata(cut, { truncateBefore: 2 })
  const gone = await seed(t, 'gone', 2)
  await t.client.deleteStream(gone)
  for (const level of [0, 1]) {
    for (const [title, options] of [
      ['forwards', { stream }],
      ['forwards, count 2', { stream, count: 2 }],
      ['forwards from 9', { stream, from: 9 }],
      ['backwards from end, count 2', { stream, from: 'end', backwards: true, count: 2 }],
      ['truncated, forwards', { stream: cut }],
      ['truncated, backwards from 1', { stream: cut, from: 1, backwards: true }],
      ['soft deleted', { stream: gone }],
      ['missing', { stream: t.name('none') }],
    ]) {
      await t.step(`compatibility ${level}, ${title}`, () => t.rawReadLines({ ...options, compatibility: level }))
    }
    await t.step(`compatibility ${level}, $all backwards, count 1: kinds`, async () =>
      (await t.rawRead({ from: 'end', backwards: true, count: 1, compatibility: level })).items.map(kindOf)
    )
    const { position } = await t.client.appendToStream(stream, t.json('more'))
    await t.step(`compatibility ${level}, $all forwards from the last`, async () =>
      t.ownLines(await t.rawRead({ from: position, compatibility: level }))
    )
  }
}

async function missing (t) {
  for (const [title, options] of [
    ['forwards', {}],
    ['backwards from end', { direction: BACKWARDS, fromRevision: END }],
    ['forwards from 5', { fromRevision: 5n }],
    ['maxCount 1', { maxCount: 1 }],
  ]) {
    await t.step(`missing stream, ${title}`, () => t.revisions(t.name('none'), options))
  }
  await t.step('calling readStream alone throws nothing', async () => {
    const read = t.client.readStream(t.name('none'))
    read.on('error', () => {})
    return 'no throw'
  })
}

async function gone (t) {
  const look = async (title, stream) => {
    for (const [how, options] of [
      ['forwards', {}],
      ['forwards from 1', { from: 1 }],
      ['backwards from end', { from: 'end', backwards: true }],
      ['backwards from 1', { from: 1, backwards: true }],
    ]) {
      await t.step(`${title}, raw, ${how}`, () => t.rawReadLines({ stream, ...options }))
    }
    await t.step(`${title}, client, forwards`, () => t.revisions(stream))
    await t.step(`${title}, client, backwards`, () => t.revisions(stream, { direction: BACKWARDS, fromRevision: END }))
  }
  const soft = await seed(t, 'soft', 3)
  await t.client.deleteStream(soft)
  await look('soft deleted', soft)
  await t.revived(soft, await t.client.appendToStream(soft, t.batch('again', 2)))
  await look('soft deleted and written again', soft)

  const hard = await seed(t, 'hard', 3)
  await t.client.tombstoneStream(hard)
  await look('tombstoned', hard)

  const metadataOnly = t.name('metadata-only')
  await t.client.setStreamMetadata(metadataOnly, { maxCount: 5 })
  await look('metadata only', metadataOnly)

  const never = t.name('never-tombstoned')
  await t.client.tombstoneStream(never)
  await look('tombstoned without ever being written', never)
}

async function truncation (t) {
  const views = async (title, stream) => {
    await t.step(`${title}: reads`, async () => {
      const rows = [
        ['forwards', {}],
        ['forwards from 2', { fromRevision: 2n }],
        ['forwards from 2, maxCount 2', { fromRevision: 2n, maxCount: 2 }],
        ['forwards, maxCount 2', { maxCount: 2 }],
        ['forwards from 8', { fromRevision: 8n }],
        ['backwards', { direction: BACKWARDS, fromRevision: END }],
        ['backwards, maxCount 2', { direction: BACKWARDS, fromRevision: END, maxCount: 2 }],
        ['backwards from 8, maxCount 4', { direction: BACKWARDS, fromRevision: 8n, maxCount: 4 }],
        ['backwards from 1', { direction: BACKWARDS, fromRevision: 1n }],
      ]
      return table(rows, async (options) => line`[${(await t.revisions(stream, options)).join(' ')}]`, errorLine)
    })
    for (const [how, options] of [
      ['forwards', {}],
      ['forwards from 2, count 2', { from: 2, count: 2 }],
      ['backwards from 1', { from: 1, backwards: true }],
    ]) {
      await t.step(`${title}: raw, ${how}`, () => t.rawReadLines({ stream, ...options }))
    }
  }
  for (const [title, metadata] of [
    ['maxCount 3', { maxCount: 3 }],
    ['maxCount 1', { maxCount: 1 }],
    ['maxCount 50', { maxCount: 50 }],
    ['truncateBefore 5', { truncateBefore: 5 }],
    ['truncateBefore 10', { truncateBefore: 10 }],
    ['truncateBefore 100', { truncateBefore: 100 }],
    ['truncateBefore 4 and maxCount 8', { truncateBefore: 4, maxCount: 8 }],
    ['maxAge 1 hour', { maxAge: 3600 }],
  ]) {
    const stream = await seed(t, `s-${title.replaceAll(' ', '-')}`, 10)
    await t.client.setStreamMetadata(stream, metadata)
    await views(title, stream)
    await t.step(`${title}: append after`, async () => {
      const { nextExpectedRevision } = await t.client.appendToStream(stream, t.json('late'), { expectedRevision: 9n })
      return { next: nextExpectedRevision }
    })
    await t.step(`${title}: read after the append`, () => t.revisions(stream))
    await t.client.setStreamMetadata(stream, {})
    await t.step(`${title}: read after the metadata is emptied`, () => t.revisions(stream))
  }
  const aged = await seed(t, 'aged', 3)
  await t.client.setStreamMetadata(aged, { maxAge: 1 })
  await sleep(2500)
  await t.client.appendToStream(aged, t.json('young'))
  await t.step('maxAge 1: after 2.5 s, and one young event, forwards', () => t.revisions(aged))
  await t.step('maxAge 1: backwards', () => t.revisions(aged, { direction: BACKWARDS, fromRevision: END }))
  await sleep(2500)
  await t.step('maxAge 1: all aged, forwards', () => t.rawReadLines({ stream: aged }))
  await t.step('maxAge 1: all aged, backwards', () => t.rawReadLines({ stream: aged, from: 'end', backwards: true }))
  await t.step('maxAge 1: append on', async () => {
    const { nextExpectedRevision } = await t.client.appendToStream(aged, t.json('next'), { expectedRevision: 3n })
    return { next: nextExpectedRevision }
  })

  const all = await seed(t, 'in-all', 4)
  await t.client.setStreamMetadata(all, { truncateBefore: 3 })
  await t.step('truncated events in $all', async () =>
    (await t.readAllOwn()).filter(({ event }) => event.streamId === all).map(({ event }) => Number(event.revision))
  )

  for (const [title, data] of [
    ['$maxCount 0', { $maxCount: 0 }],
    ['$maxCount -1', { $maxCount: -1 }],
    ['$maxCount text', { $maxCount: '3' }],
    ['$tb -1', { $tb: -1 }],
    ['$tb text', { $tb: '2' }],
    ['$maxAge 0', { $maxAge: 0 }],
    ['null values', { $maxCount: null }],
    ['unknown key beside a good one', { $maxCount: 2, other: { a: 1 } }],
    ['fraction', { $maxCount: 2.5 }],
  ]) {
    const stream = await seed(t, `odd-${title.replaceAll(' ', '-')}`, 4)
    await t.step(`odd metadata ${title}: write`, async () => {
      await t.client.appendToStream(
        `$$${stream}`,
        es.jsonEvent({ id: t.id('m'), type: '$metadata', data })
      )
      return 'written'
    })
    await t.step(`odd metadata ${title}: read`, () => t.revisions(stream))
  }
}

async function links (t) {
  const link = (label, text, type = '$>') => es.binaryEvent({ id: t.id(label), type, data: Buffer.from(text) })
  const source = await seed(t, 'source', 4)
  const soft = await seed(t, 'soft', 2)
  const hard = await seed(t, 'hard', 2)
  const cut = await seed(t, 'cut', 2)
  const at = t.name('with@at')
  await t.client.appendToStream(at, t.json('at'))
  const stream = t.name('links')
  await t.client.appendToStream(stream, [
    link('l0', `0@${source}`),
    link('l1', `2@${source}`),
    link('l2', `99@${source}`),
    link('l3', `0@${t.name('none')}`),
    link('l4', `1@${soft}`),
    link('l5', `1@${hard}`),
    link('l6', `0@${cut}`),
    link('l7', 'nonsense'),
    link('l8', `0@${at}`),
    link('l9', `0@${source}`, 'not-a-link'),
    es.jsonEvent({ id: t.id('l10'), type: '$>', data: `3@${source}` }),
    t.json('plain'),
  ])
  await t.client.deleteStream(soft)
  await t.client.tombstoneStream(hard)
  await t.client.setStreamMetadata(cut, { truncateBefore: 1 })

  await t.step('stream, unresolved, client', async () => (await t.readStream(stream)).map(eventLine))
  await t.step('stream, resolved, client', async () =>
    (await t.readStream(stream, { resolveLinkTos: true })).map(eventLine)
  )
  await t.step('stream, resolved backwards, client', async () =>
    (await t.readStream(stream, { resolveLinkTos: true, direction: BACKWARDS, fromRevision: END })).map(eventLine)
  )
  await t.step('stream, resolved, raw', () => t.rawReadLines({ stream, resolveLinks: true }))
  await t.step('a resolved link in full', async () =>
    (await t.readStream(stream, { resolveLinkTos: true, maxCount: 1 })).map(fullEvent)
  )
  await t.step('an unresolved link in full', async () => (await t.readStream(stream, { maxCount: 1 })).map(fullEvent))
  const [first] = (await t.readAllOwn()).filter(({ event }) => event.streamId === stream)
  await t.step('$all from the first link, resolved, client', async () =>
    (await t.readAllOwn({ fromPosition: first.event.position, resolveLinkTos: true }))
      .filter(({ event, link: l }) => (l ?? event).streamId === stream)
      .map(eventLine)
  )
}

const own = (t, tape) => t.ownLines(tape)

async function all (t) {
  const { position: before } = await t.client.appendToStream(t.name('before'), t.json('b'))
  const a = t.name('a')
  await t.client.appendToStream(a, t.batch('a', 3))
  await t.client.appendToStream(t.name('b'), t.json('single'))
  await t.client.appendToStream(a, t.batch('aa', 2))
  const events = await t.readAllOwn({ fromPosition: before })
  const positions = events.map(({ event }) => event.position)
  t.record('forwards from the first position', events.map(eventLine))
  t.record('in full', fullEvent(events[1]))

  const revisionsFrom = async (options) => line`[${(await t.readAllOwn(options)).map(({ event }) => events.findIndex((e) => e.event.id === event.id)).join(' ')}]`
  const bigger = ({ commit, prepare }, c, p) => ({ commit: commit + c, prepare: prepare + p })
  const rows = []
  for (const direction of [FORWARDS, BACKWARDS]) {
    for (let i = 0; i < positions.length; i++) {
      rows.push([`${direction} from event ${i}`, { direction, fromPosition: positions[i] }])
      rows.push([`${direction} from event ${i}, maxCount 1`, { direction, fromPosition: positions[i], maxCount: 1 }])
    }
  }
  t.record('which events follow, by number in the list above', await table(rows, revisionsFrom, errorLine))

  const odd = []
  for (const direction of [FORWARDS, BACKWARDS]) {
    for (const [title, fromPosition] of [
      ['commit and prepare 1 above event 2', bigger(positions[2], 1n, 1n)],
      ['commit and prepare 1 below event 2', bigger(positions[2], -1n, -1n)],
      ['commit 1 above event 2, its prepare', bigger(positions[2], 1n, 0n)],
      ['prepare 1 above event 2, its commit', bigger(positions[2], 0n, 1n)],
      ['commit of event 2, prepare of event 1', { commit: positions[2].commit, prepare: positions[1].prepare }],
      ['commit of event 1, prepare of event 2', { commit: positions[1].commit, prepare: positions[2].prepare }],
      ['commit of event 2, prepare 0', { commit: positions[2].commit, prepare: 0n }],
    ]) {
      odd.push([`${direction} from ${title}`, { direction, fromPosition }])
    }
  }
  for (const [title, fromPosition] of [
    ['far beyond the end', bigger(positions.at(-1), 1_000_000_000n, 1_000_000_000n)],
    ['the greatest signed number', { commit: I64_MAX, prepare: I64_MAX }],
    ['the greatest number', { commit: U64_MAX, prepare: U64_MAX }],
  ]) {
    odd.push([`forwards from ${title}`, { fromPosition }])
    odd.push([`backwards from ${title}, maxCount 2`, { direction: BACKWARDS, fromPosition, maxCount: 2 }])
  }
  t.record("exact: positions that are not an event's", await table(odd, revisionsFrom, errorLine))

  for (const [title, options] of [
    ['forwards from end', { from: 'end' }],
    ['backwards from start', { from: 'start', backwards: true }],
    ['backwards from end, count 3', { from: 'end', backwards: true, count: 3 }],
    ['forwards from the first, count 3', { from: positions[0], count: 3 }],
    ['forwards from the first', { from: positions[0] }],
    ['backwards from the last, count 3', { from: positions.at(-1), backwards: true, count: 3 }],
    ['forwards, commit and prepare 1 above event 2', { from: bigger(positions[2], 1n, 1n) }],
    ['forwards, far beyond the end', { from: bigger(positions.at(-1), 1_000_000_000n, 1_000_000_000n) }],
  ]) {
    await t.step(`raw, ${title}`, async () => own(t, await t.rawRead(options)))
  }
  await t.step('raw, forwards from the first, count 0, within 1.5 s', async () =>
    own(t, await t.rawRead({ from: positions[0], count: 0 }, 1500))
  )
  await t.step('raw, forwards from start, count 1: kinds', async () =>
    (await t.rawRead({ from: 'start', count: 1 })).items.map(kindOf)
  )
  const first = (await t.rawRead({ from: 'start', count: 1 })).items.find((item) => kindOf(item) === 'event')
  t.record('forwards from start delivers an event', Boolean(first))
}

async function filtered (t) {
  const kinds = { red: t.name('red'), blue: t.name('blue'), green: t.name('green-x') }
  const one = t.name('one')
  const two = t.name('two')
  const order = ['red', 'blue', 'red', 'green', 'blue', 'red', 'red', 'blue', 'green', 'red']
  let before
  for (const [i, color] of order.entries()) {
    const { position } = await t.client.appendToStream(i % 2 ? one : two, t.json(`${color}${i}`, { type: kinds[color] }))
    before ??= position
  }
  const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  for (const [title, filter] of [
    ['type prefix red', { on: 'type', prefixes: [kinds.red] }],
    ['type prefixes red, blue', { on: 'type', prefixes: [kinds.red, kinds.blue] }],
    ['type regex red', { on: 'type', regex: `^${escape(kinds.red)}$` }],
    ['type regex unanchored', { on: 'type', regex: 'green-x' }],
    ['stream prefix one', { on: 'stream', prefixes: [one] }],
    ['stream regex', { on: 'stream', regex: '~t.o$' }],
    ['nothing matches', { on: 'type', prefixes: [t.name('none')] }],
    ['prefix is case sensitive', { on: 'type', prefixes: [t.name('RED')] }],
    ['window 1', { on: 'type', prefixes: [kinds.red], window: 1 }],
  ]) {
    await t.step(`forwards, ${title}`, async () => own(t, await t.rawRead({ from: before, filter })))
    if (!title.startsWith('window')) {
      await t.step(`forwards, count 2, ${title}`, async () => own(t, await t.rawRead({ from: before, count: 2, filter })))
    }
  }
  await t.step('backwards from end, count 2, type prefix red', async () =>
    own(t, await t.rawRead({ from: 'end', backwards: true, count: 2, filter: { on: 'type', prefixes: [kinds.red] } }))
  )
  await t.step('invalid regex', async () =>
    own(t, await t.rawRead({ from: before, filter: { on: 'type', regex: '(' } }))
  )
  await t.step('empty regex', async () => {
    const tape = await t.rawRead({ from: before, filter: { on: 'type', regex: '' } })
    return own(t, tape)
  })
  await t.step('no prefixes', async () => own(t, await t.rawRead({ from: before, filter: { on: 'type', prefixes: [] } })))
  await t.step('filter on neither type nor stream', async () => own(t, await t.rawRead({ from: before, filter: {} })))
  await t.step('filter on a stream read', async () =>
    tapeLines(await t.rawRead({ stream: one, filter: { on: 'type', prefixes: [kinds.red] } }))
  )
}

async function long (t) {
  const stream = t.name('s')
  let first
  for (let i = 0; i < 6; i++) {
    const { position } = await t.client.appendToStream(stream, t.batch(`p${i}_`, 500))
    first ??= position
  }
  const runs = (revisions, start, step) => revisions.every((revision, i) => revision === start + i * step)
  const forwards = await t.revisions(stream)
  const backwards = await t.revisions(stream, { direction: BACKWARDS, fromRevision: END })
  const middle = await t.revisions(stream, { fromRevision: 700n, maxCount: 1500 })
  const all = (await t.readAllOwn({ fromPosition: first })).map(({ event }) => Number(event.revision))
  const newest = (await t.readAllOwn({ direction: BACKWARDS, fromPosition: END, maxCount: 2000 })).map(({ event }) => Number(event.revision))
  t.record('3000 events', {
    forwards: [forwards.length, runs(forwards, 0, 1)],
    backwards: [backwards.length, runs(backwards, 2999, -1)],
    'from 700, maxCount 1500': [middle.length, runs(middle, 700, 1)],
    '$all from the position of the first append': [all.length, runs(all, 499, 1)],
    '$all backwards from end, maxCount 2000': [newest.length, runs(newest, 2999, -1)],
  })
}

// What has been acknowledged is there for the next call, whoever makes it.
async function afterAcknowledgement (t) {
  const other = t.newClient()
  const last = async (read) => {
    let id
    for await (const { event } of read) id = event.id
    return id
  }
  const seen = { 'stream, forwards from its revision': 0, 'stream, backwards': 0, '$all, backwards': 0, '$all, forwards from its position': 0 }
  for (let i = 0; i < 100; i++) {
    const event = t.json('e')
    const stream = t.name(`s${i % 10}`)
    const { nextExpectedRevision, position } = await t.client.appendToStream(stream, event)
    const found = await Promise.all([
      last(other.readStream(stream, { fromRevision: nextExpectedRevision, maxCount: 1 })),
      last(other.readStream(stream, { direction: BACKWARDS, fromRevision: END, maxCount: 1 })),
      last(other.readAll({ direction: BACKWARDS, fromPosition: END, maxCount: 1 })),
      last(other.readAll({ fromPosition: position, maxCount: 1 })),
    ])
    Object.keys(seen).forEach((key, n) => (seen[key] += found[n] === event.id ? 1 : 0))
  }
  t.record('of 100 appends, read at once by another client', seen)
}

async function uuids (t) {
  const stream = t.name('s')
  const id = '01234567-89ab-cdef-8123-456789abcdef'
  await t.client.appendToStream(stream, es.jsonEvent({ id, type: 't', data: { a: 1 }, metadata: { m: 1 } }))
  for (const uuid of ['string', 'structured']) {
    await t.step(`asked as ${uuid}`, async () => {
      const { items } = await t.rawRead({ stream, uuid })
      const event = items.find((item) => kindOf(item) === 'event')
      return wireRecordFull(event.getEvent().getEvent())
    })
  }
  await t.step('no uuid option', () => t.rawReadLines({ stream, uuid: null }))
}

async function malformed (t) {
  const stream = await seed(t, 's', 2)
  for (const [title, options] of [
    ['stream read without a revision option', { stream, from: null }],
    ['$all read without a position option', { from: null, count: 1 }],
    ['without a count option', { stream, count: null }],
    ['without a filter option', { stream, filter: null }],
    ['empty stream name', { stream: '' }],
    ['stream named $all', { stream: '$all', count: 1 }],
    ['subscription to a stream with a filter', { stream, subscribe: true, filter: { on: 'type', prefixes: ['t'] } }],
    ['subscription backwards', { stream, subscribe: true, backwards: true }],
    ['subscription to $all backwards', { subscribe: true, from: 'end', backwards: true }],
  ]) {
    await t.step(title, async () => {
      const tape = t.rawOpen(options)
      await tape.until(() => false, 700)
      tape.stop()
      return tape.items.filter((item) => t.isOwnItem(item)).map((item) => (typeof item === 'string' ? item : readRespLine(item))).concat(tape.end === undefined ? [] : tape.end === 'end' ? ['(end)'] : [{ error: wireError(tape.end) }])
    })
  }
}

export const scenarios = [
  { name: 'read: ranges', run: ranges },
  { name: 'read: messages on the wire', run: messages },
  { name: 'read: control option', run: compatibility },
  { name: 'read: missing stream', run: missing },
  { name: 'read: deleted streams', run: gone },
  { name: 'read: truncation by metadata', run: truncation },
  { name: 'read: links', run: links },
  { name: 'read: $all', run: all },
  { name: 'read: $all filtered', run: filtered },
  { name: 'read: long', run: long },
  { name: 'read: after acknowledgement', run: afterAcknowledgement },
  { name: 'read: uuid options', run: uuids },
  { name: 'read: malformed requests', run: malformed },
]
