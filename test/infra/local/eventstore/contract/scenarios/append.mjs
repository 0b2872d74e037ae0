// A. Appends through the client, over both of its ways: "batch" (BatchAppend,
// which the client prefers when the server announces it) and "plain" (Append,
// which it uses when credentials are given).
import { es } from '../lib/client.mjs'
import { table } from '../lib/context.mjs'
import { appendLine, appendResult, errorLine, eventLine, fullEvent } from '../lib/shape.mjs'
import { line, pos } from '../lib/values.mjs'

const { NO_STREAM, ANY, STREAM_EXISTS } = es
const EXPECTATIONS = [NO_STREAM, ANY, STREAM_EXISTS, 0n, 1n, 2n, 3n, 7n]
const rows = (values) => values.map((value) => [String(value), value])

async function throwing (t, path) {
  const cases = [
    ['new stream', async () => t.name('new')],
    [
      'stream of 3 events',
      async (n) => {
        const stream = t.name(`three${n}`)
        await t.append(path, stream, t.batch('seed', 3), NO_STREAM)
        return stream
      },
    ],
  ]
  let n = 0
  for (const [title, prepare] of cases) {
    for (const expected of EXPECTATIONS) {
      const stream = title === 'new stream' ? t.name(`new${n++}`) : await prepare(n++)
      await t.step(`${title}, expected ${expected}`, async () =>
        appendResult(await t.append(path, stream, t.json('e'), expected))
      )
    }
  }
  await t.step('no expectation given, new stream', async () =>
    appendResult(await t.append(path, t.name('default'), t.json('e')))
  )
}

async function notThrowing (t, path) {
  const client = t.newClient('&throwOnAppendFailure=false')
  let n = 0
  for (const [title, seed] of [['new stream', 0], ['stream of 3 events', 3]]) {
    for (const expected of [NO_STREAM, STREAM_EXISTS, 1n, 7n]) {
      const stream = t.name(`s${n++}`)
      if (seed) await t.append(path, stream, t.batch('seed', seed), NO_STREAM)
      await t.step(`${title}, expected ${expected}`, async () =>
        appendResult(await t.append(path, stream, t.json('e'), expected, client))
      )
    }
  }
  const stream = t.name('tombstoned')
  await t.append(path, stream, t.json('e'), NO_STREAM)
  await t.client.tombstoneStream(stream)
  await t.step('tombstoned stream, expected any', async () =>
    appendResult(await t.append(path, stream, t.json('e'), ANY, client))
  )
}

async function positions (t, path) {
  for (const n of [1, 3]) {
    const stream = t.name(`of${n}`)
    await t.step(`append ${n}`, async () => appendResult(await t.append(path, stream, t.batch(`e${n}_`, n), NO_STREAM)))
    await t.step(`read ${n} from the stream`, async () => (await t.readStream(stream)).map(eventLine))
    await t.step(`read ${n} from $all`, async () =>
      (await t.readAllOwn()).filter(({ event }) => event.streamId === stream).map(eventLine)
    )
  }
  const stream = t.name('of100')
  const result = await t.append(path, stream, t.batch('h', 100), NO_STREAM)
  const inStream = await t.readStream(stream)
  const inAll = (await t.readAllOwn()).filter(({ event }) => event.streamId === stream)
  const commits = inAll.map(({ event }) => event.position.commit)
  const last = inAll.at(-1).event.position
  t.record('append 100', {
    next: result.nextExpectedRevision,
    'returned commit == commit of the last event': result.position.commit === last.commit,
    'returned prepare == prepare of the last event': result.position.prepare === last.prepare,
    'returned commit == prepare': result.position.commit === result.position.prepare,
    'events in the stream': inStream.length,
    'revisions run 0..99': inStream.every(({ event }, i) => event.revision === BigInt(i)),
    'distinct commits in $all': new Set(commits).size,
    'commits ascend': commits.every((c, i) => i === 0 || c >= commits[i - 1]),
    'commit == prepare for all': inAll.every(({ event }) => event.position.commit === event.position.prepare),
    'stream read and $all read agree on positions': inStream.every(
      ({ event }, i) =>
        event.position.commit === inAll[i].event.position.commit &&
        event.position.prepare === inAll[i].event.position.prepare
    ),
  })
}

async function zeroEvents (t, path) {
  let n = 0
  for (const [title, seed] of [['new stream', 0], ['stream of 3 events', 3]]) {
    for (const expected of EXPECTATIONS) {
      const stream = t.name(`s${n++}`)
      let seeded
      if (seed) seeded = await t.append(path, stream, t.batch('seed', seed), NO_STREAM)
      await t.step(`${title}, zero events, expected ${expected}`, async () => ({
        'seed was at': seeded && pos(seeded.position),
        result: appendResult(await t.append(path, stream, [], expected)),
      }))
      await t.step(`${title}, read after expected ${expected}`, () => t.revisions(stream))
    }
  }
}

// Every combination of a repeated or changed batch with an expectation, each on
// a stream of its own that already holds a, b, c (revisions 0, 1, 2).
const BATCHES = [
  'a b c', 'a b', 'a', 'b c', 'b', 'c', 'a c', 'b a', 'c a', 'a a',
  'a b c x', 'a b x', 'a x', 'b x', 'c x', 'x', 'x y', 'x a', 'x y z', 'a x c', 'x b c',
]

async function idempotency (t, path, seeding) {
  for (const expected of EXPECTATIONS) {
    // A repeat that ends before it begins (c then a) is left out where any known id will do:
    // a real server fails inside and never answers. Nothing to imitate.
    const loose = expected === ANY || expected === STREAM_EXISTS
    const batches = loose ? BATCHES.filter((batch) => batch !== 'c a') : BATCHES
    const cells = await table(
      rows(batches),
      async (batch) => {
        const stream = t.name(`${expected}-${batch.replaceAll(' ', '')}`)
        const ids = { a: t.id('a'), b: t.id('b'), c: t.id('c'), x: t.id('x'), y: t.id('y'), z: t.id('z') }
        const event = (label) => t.json(label, { id: ids[label] })
        const seeded = []
        if (seeding === 'one append') {
          seeded.push(await t.append(path, stream, ['a', 'b', 'c'].map(event), NO_STREAM))
        } else {
          for (const label of ['a', 'b', 'c']) seeded.push(await t.append(path, stream, event(label), ANY))
        }
        const stored = (await t.readStream(stream)).map(({ event: { position } }) => position)
        let outcome
        try {
          const result = await t.append(path, stream, batch.split(' ').map(event), expected)
          const at = result.position
          const same = at && stored.findIndex(({ commit, prepare }) => commit === at.commit && prepare === at.prepare)
          const where =
            at === undefined
              ? 'no position'
              : same >= 0
                ? `position of event ${'abc'[same]}`
                : at.commit > stored[2].commit
                  ? 'a new position'
                  : at.commit === 0n && at.prepare === 0n
                    ? 'position 0'
                    : 'another position'
          outcome = line`ok next=${result.nextExpectedRevision} ${where}`
        } catch (error) {
          outcome = errorLine(error)
        }
        const after = (await t.readStream(stream)).map(({ event: { id } }) =>
          Object.keys(ids).find((label) => ids[label] === id)
        )
        return line`${outcome}; holds ${after.join(' ')}`
      },
      errorLine
    )
    t.record(`expected ${expected}`, cells)
  }
}

async function sameId (t, path) {
  for (const expected of [NO_STREAM, ANY]) {
    const stream = t.name(`twice-${expected}`)
    const a = t.json('a')
    const b = t.json('b')
    await t.step(`same id twice in one append, expected ${expected}`, async () =>
      appendResult(await t.append(path, stream, [a, a], expected))
    )
    await t.step('... stream', async () => (await t.readStream(stream)).map(eventLine))
    await t.step('... repeated', async () => appendResult(await t.append(path, stream, [a, a], expected)))
    await t.step('... then a alone', async () => appendResult(await t.append(path, stream, [a], expected)))
    await t.step('... then a b', async () => appendResult(await t.append(path, stream, [a, b], expected)))
    await t.step('... stream at last', async () => (await t.readStream(stream)).map(eventLine))
  }
  const shared = t.json('shared')
  for (const expected of [NO_STREAM, ANY]) {
    for (const n of [1, 2]) {
      await t.step(`same id to stream ${n}, expected ${expected}`, async () =>
        appendResult(await t.append(path, t.name(`other${n}-${expected}`), shared, expected))
      )
    }
    await t.step('... again to stream 1', async () =>
      appendResult(await t.append(path, t.name(`other1-${expected}`), shared, expected))
    )
  }
  // the id of a later event of the same stream, and other content under a known id
  const stream = t.name('content')
  const a = t.json('a')
  await t.append(path, stream, [a, t.json('b')], NO_STREAM)
  await t.step('known id with other type and data, expected no_stream', async () =>
    appendResult(await t.append(path, stream, es.jsonEvent({ id: a.id, type: 'other', data: { other: true } }), NO_STREAM))
  )
  await t.step('... stream', async () => (await t.readStream(stream)).map(({ event }) => line`${event.id} ${event.type}`))

  // ids of events that truncation hides
  for (const [title, metadata] of [['truncateBefore 3', { truncateBefore: 3 }], ['maxCount 1', { maxCount: 1 }]]) {
    for (const expected of [NO_STREAM, ANY, STREAM_EXISTS, 0n]) {
      const hidden = t.name(`${title.replace(' ', '-')}-${expected}`)
      const seed = t.batch('h', 3)
      await t.append(path, hidden, seed, NO_STREAM)
      await t.client.setStreamMetadata(hidden, metadata)
      await t.step(`${title}, repeat of what is hidden, expected ${expected}`, async () =>
        appendResult(await t.append(path, hidden, expected === 0n ? seed.slice(1) : seed.slice(0, 2), expected))
      )
      await t.step('... stream', () => t.revisions(hidden))
    }
  }
}

async function afterDelete (t, path) {
  let n = 0
  for (const [title, remove] of [
    ['soft deleted', (stream) => t.client.deleteStream(stream)],
    ['tombstoned', (stream) => t.client.tombstoneStream(stream)],
  ]) {
    for (const expected of EXPECTATIONS) {
      const stream = t.name(`s${n++}`)
      await t.append(path, stream, t.batch('seed', 3), NO_STREAM)
      await remove(stream)
      await t.step(`${title} stream of 3, expected ${expected}`, async () =>
        appendResult(await t.revived(stream, await t.append(path, stream, t.batch('new', 2), expected)))
      )
      await t.step(`${title} stream of 3, read after expected ${expected}`, () => t.revisions(stream))
    }
  }
  // repeats across a soft delete
  for (const expected of [NO_STREAM, ANY, STREAM_EXISTS, 2n]) {
    const stream = t.name(`repeat-${expected}`)
    const old = t.batch('old', 3)
    await t.append(path, stream, old, NO_STREAM)
    await t.client.deleteStream(stream)
    await t.step(`soft deleted, old ids again, expected ${expected}`, async () =>
      appendResult(await t.revived(stream, await t.append(path, stream, old, expected)))
    )
    await t.step('... read', async () => (await t.readStream(stream)).map(eventLine))
    const fresh = t.batch('fresh', 2)
    await t.step(`... fresh ids, expected ${expected}`, async () =>
      appendResult(await t.revived(stream, await t.append(path, stream, fresh, expected)))
    )
    await t.step(`... the fresh ids again, expected ${expected}`, async () =>
      appendResult(await t.append(path, stream, fresh, expected))
    )
    await t.step('... read', async () => (await t.readStream(stream)).map(eventLine))
  }
}

async function inFlight (t, path) {
  const many = await Promise.all(
    t.batch('m', 300).map((event, i) => t.append(path, t.name(`many-${i}`), event, NO_STREAM))
  )
  t.record('300 at once, each to a stream of its own, expected no_stream', {
    succeeded: many.filter((r) => r.success).length,
    'next is 0': many.filter((r) => r.nextExpectedRevision === 0n).length,
    'distinct positions': new Set(many.map((r) => r.position.commit)).size,
  })

  const stream = t.name('one')
  const events = t.batch('o', 300)
  const one = await Promise.all(events.map((event) => t.append(path, stream, event, ANY)))
  const stored = await t.readStream(stream)
  const byId = new Map(stored.map(({ event }) => [event.id, event]))
  t.record('300 at once to one stream, expected any', {
    stored: stored.length,
    'distinct revisions': new Set(one.map((r) => r.nextExpectedRevision)).size,
    'each told its own revision': one.filter((r, i) => byId.get(events[i].id).revision === r.nextExpectedRevision).length,
    'each told its own position': one.filter((r, i) => byId.get(events[i].id).position.commit === r.position.commit).length,
    // separate calls of the plain way have no order among them
    'stored in sending order': path === 'batch' ? stored.every(({ event }, i) => event.id === events[i].id) : 'not defined',
  })

  const contested = t.name('contested')
  const outcomes = await Promise.allSettled(t.batch('c', 50).map((event) => t.append(path, contested, event, NO_STREAM)))
  t.record('50 at once to one stream, expected no_stream, distinct ids', {
    fulfilled: outcomes.filter((o) => o.status === 'fulfilled').length,
    'wrong expected version': outcomes.filter((o) => o.reason instanceof es.WrongExpectedVersionError).length,
    'actual versions told': [...new Set(outcomes.flatMap((o) => (o.reason ? [String(o.reason.actualVersion)] : [])))],
    stored: (await t.readStream(contested)).length,
  })

  const same = t.json('same')
  const repeated = t.name('repeated')
  const repeats = await Promise.allSettled(Array.from({ length: 50 }, () => t.append(path, repeated, same, NO_STREAM)))
  // A real server refuses a repeat now and then while the first is still on its way; how many is chance.
  t.record('50 at once to one stream, expected no_stream, one id', {
    'fulfilled at least once': repeats.some((o) => o.status === 'fulfilled'),
    'distinct positions': new Set(repeats.flatMap((o) => (o.value ? [o.value.position.commit] : []))).size,
    stored: (await t.readStream(repeated)).length,
  })

  const chain = t.name('chain')
  const links = t.batch('l', 100)
  const chained = await Promise.allSettled(
    links.map((event, i) => t.append(path, chain, event, i === 0 ? NO_STREAM : BigInt(i - 1)))
  )
  t.record(
    '100 at once to one stream, each expecting its predecessor',
    path === 'batch'
      ? {
          fulfilled: chained.filter((o) => o.status === 'fulfilled').length,
          stored: (await t.readStream(chain)).length,
        }
      : 'not defined: separate calls have no order among them'
  )
}

async function content (t, path) {
  const stream = t.name('s')
  const nested = { text: '\u00e9\u4e16\u{1f30d}"\\\n', list: [1, 2.5, null, true, []], inner: { a: {} } }
  const events = [
    ['json object', t.json('e1', { data: nested, metadata: { by: 'me', n: 1 } })],
    ['json without metadata', t.json('e2', { data: {} })],
    ['json null', t.json('e3', { data: null })],
    ['json array', t.json('e4', { data: [1, 2] })],
    ['json text', t.json('e5', { data: 'text' })],
    ['json with binary metadata', t.json('e6', { data: {}, metadata: Uint8Array.of(0, 255, 1) })],
    ['json with empty metadata object', t.json('e7', { data: {}, metadata: {} })],
    ['binary', es.binaryEvent({ id: t.id('e8'), type: 'b', data: Uint8Array.of(0, 1, 2, 254, 255) })],
    ['binary, empty', es.binaryEvent({ id: t.id('e9'), type: 'b', data: new Uint8Array() })],
    ['binary with json metadata', es.binaryEvent({ id: t.id('e10'), type: 'b', data: Uint8Array.of(7), metadata: { m: 1 } })],
    ['binary that is json text', es.binaryEvent({ id: t.id('e11'), type: 'b', data: Buffer.from('{"a":1}') })],
  ]
  for (const [title, event] of events) {
    await t.step(`append ${title}`, async () => appendLine(await t.append(path, stream, event)))
  }
  await t.step('all in one append', async () =>
    appendLine(await t.append(path, t.name('all'), events.map(([, event]) => ({ ...event, id: t.id('copy') })), NO_STREAM))
  )
  await t.step('read back', async () => (await t.readStream(stream)).map(fullEvent))
}

async function names (t, path) {
  const pad = (label, length) => t.name(label).padEnd(length, 'n')
  const types = [
    ['1 character', 't'],
    ['empty', ''],
    ['odd characters', 'a b/c%20\u00e9\u4e16\u{1f30d}\t\n?#'],
    ['$-prefixed', '$own'],
    ['$metadata in an ordinary stream', '$metadata'],
    ['$> in an ordinary stream', '$>'],
    ['$streamDeleted in an ordinary stream', '$streamDeleted'],
    ['1000 characters', 'x'.repeat(1000)],
    ['20000 characters', 'x'.repeat(20_000)],
    ['100000 characters', 'x'.repeat(100_000)],
  ]
  for (const [title, type] of types) {
    const stream = t.name(`type-${title.length}-${type.length}`)
    await t.step(`type: ${title}`, async () => appendLine(await t.append(path, stream, t.json('e', { type }))))
    await t.step(`type: ${title}, read`, async () =>
      (await t.readStream(stream)).map(({ event }) => ({ type: event.type, same: event.type === type }))
    )
  }
  const streams = [
    ['spaces', t.name(' a  b ')],
    ['unicode', t.name('\u00e9\u4e16\u{1f30d}')],
    ['control characters', t.name('a\tb\nc\u0001')],
    ['slashes and signs', t.name("a/b\\c%20?#@&=;'\"")],
    ['upper case', t.name('CaSe')],
    ['lower case of the same', t.name('case')],
    ['$-prefixed', t.name('$sys')],
    ['1000 characters', pad('l', 1000)],
    ['20000 characters', pad('l', 20_000)],
    ['100000 characters', pad('l', 100_000)],
  ]
  for (const [title, stream] of streams) {
    await t.step(`stream: ${title}`, async () => appendLine(await t.append(path, stream, t.json('e'), NO_STREAM)))
    await t.step(`stream: ${title}, read`, async () =>
      (await t.readStream(stream)).map(({ event }) => ({ revision: event.revision, same: event.streamId === stream }))
    )
  }
}

// Names that are special to the server; a failed one may end the call, so each has a client of its own.
// The stream name "$$" alone is left out: a real server takes the append, then shuts itself down.
async function reservedNames (t, path) {
  for (const [title, stream, event] of [
    ['empty name', '', t.json('e')],
    ['metastream, $metadata json', t.name('$$one'), t.json('e', { type: '$metadata', data: { $maxCount: 2 } })],
    ['metastream, other type', t.name('$$two'), t.json('e', { type: 'other', data: { $maxCount: 2 } })],
    ['metastream, binary', t.name('$$three'), es.binaryEvent({ id: t.id('e'), type: '$metadata', data: Uint8Array.of(1) })],
    ['metastream, json array', t.name('$$four'), t.json('e', { type: '$metadata', data: [1] })],
    ['metastream, $maxCount is text', t.name('$$five'), t.json('e', { type: '$metadata', data: { $maxCount: 'x' } })],
    ['metastream of a metastream', t.name('$$$$six'), t.json('e', { type: '$metadata', data: {} })],
    ['metastream of a $-stream', t.name('$$$seven'), t.json('e', { type: '$metadata', data: {} })],
  ]) {
    const client = t.newClient()
    await t.step(title, async () => appendResult(await t.append(path, stream, event, ANY, client)))
    if (t.owns(stream)) {
      await t.step(`${title}, read`, async () => (await t.readStream(stream)).map(({ event: e }) => line`${e.revision} ${e.type}`))
    }
  }
  await t.step('$all as a stream name', async () => ({ success: (await t.append(path, '$all', t.json('e'), ANY)).success }))
}

async function sizes (t, path) {
  const MIB = 1024 * 1024
  const blob = (bytes, type = 't', metadata) =>
    es.binaryEvent({ type, data: Buffer.alloc(bytes, 7), metadata, id: t.id('e') })
  let n = 0

  // The largest accepted data length, by bisection in a window around 1 MiB.
  const largest = async (build) => {
    const fits = async (size) => {
      try {
        await t.append(path, t.name(`fit${n++}`), build(size), NO_STREAM)
        return true
      } catch (error) {
        if (error instanceof es.MaxAppendSizeExceededError) return false
        throw error
      }
    }
    let low = MIB - 8192
    let high = MIB + 1024
    if (!(await fits(low))) return 'below the window'
    if (await fits(high)) return 'above the window'
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (await fits(middle)) low = middle
      else high = middle
    }
    return `1 MiB - ${MIB - low} bytes`
  }
  await t.step('largest data, type of 1 byte, no metadata', () => largest((size) => [blob(size)]))
  await t.step('largest data, type of 11 bytes, no metadata', () => largest((size) => [blob(size, 't2345678901')]))
  await t.step('largest data, type of 1 byte, 100 bytes of metadata', () =>
    largest((size) => [blob(size, 't', new Uint8Array(100))])
  )
  await t.step('largest data, two events, the other with 1000 bytes', () => largest((size) => [blob(1000), blob(size)]))

  for (const [title, events] of [
    ['one event of 1 MiB + 1', () => [blob(MIB + 1)]],
    ['three events of 400 KiB', () => [blob(400 * 1024), blob(400 * 1024), blob(400 * 1024)]],
    ['2000 events of 700 bytes', () => Array.from({ length: 2000 }, () => blob(700))],
    ['one event of 3 MiB', () => [blob(3 * MIB)]],
    ['ten events of 900 KiB', () => Array.from({ length: 10 }, () => blob(900 * 1024))],
  ]) {
    const stream = t.name(`s${n++}`)
    await t.step(title, async () => appendResult(await t.append(path, stream, events(), NO_STREAM)))
    await t.step(`${title}: stream`, () => t.revisions(stream))
    await t.step(`${title}: the same client goes on`, async () =>
      appendLine(await t.append(path, t.name(`after${n++}`), blob(10), NO_STREAM))
    )
  }
  const quiet = t.newClient('&throwOnAppendFailure=false')
  await t.step('one event of 1 MiB + 1, throwOnAppendFailure false', async () =>
    appendResult(await t.append(path, t.name('quiet'), [blob(MIB + 1)], NO_STREAM, quiet))
  )
  await t.step('too large and wrong expected version at once', async () =>
    appendResult(await t.append(path, t.name('both'), [blob(MIB + 1)], 5n))
  )
}

const parts = {
  expectations: throwing,
  'throwOnAppendFailure false': notThrowing,
  positions,
  'zero events': zeroEvents,
  'idempotency, seeded by one append': (t, path) => idempotency(t, path, 'one append'),
  'idempotency, seeded by three appends': (t, path) => idempotency(t, path, 'three appends'),
  'same id': sameId,
  'after delete': afterDelete,
  'in flight': inFlight,
  content,
  names,
  'reserved names': reservedNames,
  sizes,
}

export const scenarios = ['batch', 'plain'].flatMap((path) =>
  Object.entries(parts).map(([name, run]) => ({ name: `append ${path}: ${name}`, run: (t) => run(t, path) }))
)
