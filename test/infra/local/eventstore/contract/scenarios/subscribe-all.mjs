// F. Subscriptions to $all.
import { es } from '../lib/client.mjs'
import { countOf, has, kindOf, sleep } from '../lib/context.mjs'
import { clientError, eventLine } from '../lib/shape.mjs'
import { line } from '../lib/values.mjs'

const escape = (text) => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')

async function settled (t, options) {
  const tape = t.rawOpen({ subscribe: true, ...options })
  await tape.until(has('caughtUp'), 5000)
  await tape.quiet()
  return tape
}

async function follow (t, title, options, actions = []) {
  const tape = await settled(t, options)
  t.record(`${title}: at first`, t.ownLines(tape))
  for (const [name, act] of actions) {
    const before = tape.items.length
    await act()
    await tape.quiet()
    t.record(`${title}: after ${name}`, t.ownLines(tape, before))
  }
  tape.stop()
}

async function starts (t) {
  const { position: before } = await t.client.appendToStream(t.name('before'), t.json('b'))
  const a = t.name('a')
  const { position: three } = await t.client.appendToStream(a, t.batch('a', 3))
  const { position: single } = await t.client.appendToStream(t.name('c'), t.json('single'))
  const stored = (await t.readAllOwn({ fromPosition: before })).map(({ event }) => event.position)
  t.record('what there is', (await t.readAllOwn({ fromPosition: before })).map(eventLine))
  const live = (n) => [
    ['one event', () => t.client.appendToStream(t.name('live'), t.json(`live${n}`))],
    ['three in one append', () => t.client.appendToStream(t.name('live'), t.batch(`l${n}_`, 3))],
  ]

  await follow(t, 'from end', { from: 'end' }, live(1))
  await follow(t, 'from the position of the single event', { from: single })
  await follow(t, 'from the position returned by the append of three', { from: three })
  for (const [title, i] of [['first', 1], ['second', 2], ['third', 3]]) {
    await follow(t, `from the ${title} event of the append of three`, { from: stored[i] })
  }
  const shifted = (c, p) => ({ commit: stored[2].commit + c, prepare: stored[2].prepare + p })
  for (const [title, from] of [
    ['commit and prepare 1 above the second of three', shifted(1n, 1n)],
    ['commit and prepare 1 below the second of three', shifted(-1n, -1n)],
    ['commit 1 above the second of three, its prepare', shifted(1n, 0n)],
    ['prepare 1 above the second of three, its commit', shifted(0n, 1n)],
    ['commit of the third of three, prepare of the second', { commit: stored[3].commit, prepare: stored[2].prepare }],
  ]) {
    await follow(t, `from ${title}`, { from })
  }
  await follow(t, 'from far beyond the end', { from: shifted(1_000_000_000n, 1_000_000_000n) }, live(2))
}

// Runs early, while there is little to read from the start.
async function fromStart (t) {
  const stream = t.name('s')
  await t.client.appendToStream(stream, t.batch('e', 3))
  const tape = await settled(t, { from: 'start' })
  t.record('kinds in order, repeats joined', tape.items.map(kindOf).filter((kind, i, all) => kind !== all[i - 1]))
  const mark = tape.items.length
  await t.client.appendToStream(stream, t.json('live'))
  await tape.quiet()
  t.record('own events', t.ownLines({ ...tape, items: tape.items.slice(0, mark).filter((item) => kindOf(item) === 'event') }))
  t.record('live', t.ownLines(tape, mark))
  tape.stop()
}

async function filters (t) {
  const red = t.name('red')
  const blue = t.name('blue')
  const one = t.name('one')
  const two = t.name('two')
  const write = (label, stream, type) => t.client.appendToStream(stream, t.json(label, { type }))
  const { position: before } = await write('b', t.name('before'), 't')
  await write('red1', one, red)
  await write('blue1', two, blue)
  await t.client.appendToStream(one, [t.json('red2', { type: red }), t.json('blue2', { type: blue }), t.json('red3', { type: red })])
  let n = 0
  for (const [title, filter] of [
    ['type prefix', { on: 'type', prefixes: [red] }],
    ['two type prefixes', { on: 'type', prefixes: [red, blue] }],
    ['type regex', { on: 'type', regex: `^${escape(red)}$` }],
    ['stream prefix', { on: 'stream', prefixes: [one] }],
    ['stream regex', { on: 'stream', regex: '~two$' }],
    ['no prefix', { on: 'type', prefixes: [] }],
    ['invalid regex', { on: 'type', regex: '(' }],
    ['neither type nor stream', {}],
    ['window 0', { on: 'type', prefixes: [red], window: 0 }],
    ['interval 0', { on: 'type', prefixes: [red], interval: 0 }],
    ['no window option', { on: 'type', prefixes: [red], window: null }],
  ]) {
    n += 1
    const tape = await settled(t, { from: before, filter })
    // checkpoints have scenarios of their own
    const shown = (from) => t.ownLines(tape, from).filter((item) => !String(item.parts?.[0] ?? '').startsWith('checkpoint'))
    t.record(`${title}: at first`, shown(0))
    if (tape.end !== undefined) continue
    const mark = tape.items.length
    await write(`liveRed${n}`, one, red)
    await write(`liveBlue${n}`, two, blue)
    await tape.quiet()
    t.record(`${title}: live`, shown(mark))
    tape.stop()
  }
}

async function system (t) {
  const own = t.name('own')
  const { position: before } = await t.client.appendToStream(t.name('before'), t.json('b'))
  await t.client.appendToStream(own, t.json('user'))
  await t.client.appendToStream(own, t.json('dollar', { type: '$typed' }))
  await t.client.appendToStream(t.name('$stream'), t.json('in-dollar-stream'))
  await t.client.setStreamMetadata(own, { maxCount: 9 })
  const seen = []
  const subscription = t.client.subscribeToAll({ fromPosition: before, filter: es.excludeSystemEvents() })
  subscription.on('error', (error) => seen.push(clientError(error)))
  subscription.on('data', (event) => t.owns(event.event.streamId) && seen.push(eventLine(event)))
  await sleep(600)
  t.record('excludeSystemEvents', seen)
  await subscription.unsubscribe()
  const open = await settled(t, { from: before })
  t.record('without a filter', t.ownLines(open))
  open.stop()

  await t.client.deleteStream(own)
  const hard = t.name('hard')
  await t.client.appendToStream(hard, t.json('h'))
  const tape = await settled(t, { from: 'end' })
  await t.client.tombstoneStream(hard)
  await tape.quiet()
  t.record('a tombstone, live', t.ownLines(tape))
  tape.stop()
}

async function order (t) {
  const { position: before } = await t.client.appendToStream(t.name('before'), t.json('b'))
  const tape = t.rawOpen({ subscribe: true, from: before })
  const events = Array.from({ length: 60 }, (_, i) => t.batch(`w${i}_`, 5))
  await Promise.all(events.map((batch, i) => t.client.appendToStream(t.name(`s${i % 7}`), batch)))
  await tape.until((items) => items.filter((item) => kindOf(item) === 'event' && t.isOwnItem(item)).length >= 300)
  await tape.quiet()
  const own = tape.items.filter((item) => kindOf(item) === 'event' && t.isOwnItem(item)).map((item) => item.getEvent().getEvent())
  const ids = own.map((record) => record.getId().getString())
  const commits = own.map((record) => BigInt(record.getCommitPosition()))
  const starts = events.map((batch) => ids.indexOf(batch[0].id))
  t.record('60 appends of 5 at once, subscribed meanwhile', {
    events: ids.length,
    distinct: new Set(ids).size,
    'positions ascend': commits.every((c, i) => i === 0 || c > commits[i - 1]),
    'events of one append are neighbours, in order': events.every((batch, i) =>
      batch.every((event, j) => ids[starts[i] + j] === event.id)
    ),
    'appends arrive in sending order': starts.every((s, i) => i === 0 || s > starts[i - 1]),
    'same as $all': (await t.readAllOwn({ fromPosition: before })).slice(1).every(({ event }, i) => event.id === ids[i]),
  })
}

// ---- checkpoints ----

/**
 * Where checkpoints come. Every log record that the subscription had to look at
 * is counted with an unfiltered read, foreign ones included, from 1 after the
 * start position, which is "record 0"; a checkpoint is told by the record it is at.
 */
async function checkpointTrail (t, tape, from) {
  const scanned = []
  for await (const { event } of t.client.readAll({ fromPosition: from })) {
    if (event.position.commit > from.commit) scanned.push({ commit: event.position.commit, prepare: event.position.prepare })
  }
  return tape.items.map((item) => {
    switch (kindOf(item)) {
      case 'checkpoint': {
        const commit = BigInt(item.getCheckpoint().getCommitPosition())
        const prepare = BigInt(item.getCheckpoint().getPreparePosition())
        const n = scanned.filter((p) => p.commit <= commit).length
        const record = n > 0 ? scanned[n - 1] : from // "record 0" is the start position
        const where =
          commit !== record.commit
            ? 'between records, after'
            : prepare === record.prepare
              ? 'at record'
              : prepare === 0n
                ? 'with the commit position of the record and prepare position 0, at record'
                : 'with the commit position of the record and another prepare position, at record'
        return `checkpoint ${where} ${n}`
      }
      case 'event': {
        const commit = BigInt(item.getEvent().getEvent().getCommitPosition())
        return `event = record ${scanned.filter((p) => p.commit <= commit).length}`
      }
      default:
        return kindOf(item)
    }
  })
}

const fill = async (t, n, typeOf = () => 't') => {
  const stream = t.name('fill')
  const { position } = await t.client.appendToStream(t.name('before'), t.json('b'))
  for (let i = 0; i < n; i += 50) {
    await t.client.appendToStream(
      stream,
      Array.from({ length: Math.min(50, n - i) }, (_, j) => t.json('f', { type: typeOf(i + j + 1) }))
    )
  }
  return { stream, from: position }
}

/** What a client may rely upon, whatever the exact cadence. */
function checkpointRelations (trail, { window = 32, interval, n, live }) {
  const step = window * interval
  const caughtUp = trail.indexOf('caughtUp')
  const place = (text) => Number(text.match(/(\d+)$/)[1])
  const marks = trail
    .map((text, i) => ({ i, event: text.startsWith('event'), at: /\d$/.test(text) ? place(text) : undefined }))
    .filter(({ at }) => at !== undefined)
  const checkpointsOf = (part) => part.filter(({ event }) => !event).map(({ at }) => at)
  const before = checkpointsOf(marks.filter(({ i }) => i < caughtUp))
  const after = checkpointsOf(marks.filter(({ i }) => i > caughtUp))
  const edges = [0, ...before, n]
  return {
    'confirmation first': trail[0] === 'confirmation',
    'caughtUp once': trail.filter((text) => text === 'caughtUp').length === 1,
    'checkpoints never go back': [...before, ...after].every((at, i, all) => i === 0 || at >= all[i - 1]),
    'no checkpoint beyond an event still to come, none before an event already sent': marks.every(({ i, event, at }) =>
      event || marks.every((other) => !other.event || (other.i < i ? other.at <= at : other.at > at))
    ),
    'catching up: no gap of 2 x window x interval records without one': edges.every((at, i) => i === 0 || at - edges[i - 1] < 2 * step),
    'live: one after every window x interval records, at that record':
      live === undefined
        ? undefined
        : JSON.stringify(after) === JSON.stringify(Array.from({ length: Math.floor(live / step) }, (_, k) => n + (k + 1) * step)),
  }
}

const checkpoints = (title, { n, live = 0, every, windows }) => ({
  name: `subscribe all: checkpoints, ${title}`,
  run: async (t) => {
    const match = t.name('match')
    const typeOf = (i) => (every && i % every === 0 ? match : 't')
    for (const [window, interval] of windows) {
      const { stream, from } = await fill(t, n, typeOf)
      const tape = await settled(t, { from, filter: { on: 'type', prefixes: [match], window, interval } })
      const label = `window ${window ?? 'default'}, interval ${interval}`
      const mark = tape.items.length
      for (let i = 1; i <= live; i++) await t.client.appendToStream(stream, t.json('l', { type: typeOf(n + i) }))
      await tape.quiet()
      const trail = await checkpointTrail(t, tape, from)
      t.record(label, checkpointRelations(trail, { window, interval, n, live }))
      t.record(`exact: ${label}, ${n} records to catch up with`, trail.slice(0, mark))
      t.record(`exact: ${label}, ${live} more, live`, trail.slice(mark))
      tape.stop()
    }
  },
})

async function fromEnd (t) {
  const stream = t.name('s')
  for (const [window, interval] of [[1, 1], [32, 1], [undefined, 1]]) {
    const { position: from } = await t.client.appendToStream(stream, t.json('b'))
    const tape = await settled(t, { from: 'end', filter: { on: 'type', prefixes: [t.name('none')], window, interval } })
    for (let i = 0; i < 100; i++) await t.client.appendToStream(stream, t.json('l'))
    await tape.quiet()
    const trail = await checkpointTrail(t, tape, from)
    const label = `from end, window ${window ?? 'default'}, interval ${interval}, 100 live records`
    t.record(label, checkpointRelations(trail, { window, interval, n: 0, live: 100 }))
    t.record(`exact: ${label}`, trail)
    tape.stop()
  }
}

async function resume (t) {
  // a subscription that goes on from a checkpoint must miss nothing and repeat nothing
  const match = t.name('match')
  const { stream, from } = await fill(t, 200, (i) => (i % 17 === 0 ? match : 't'))
  const first = await settled(t, { from, filter: { on: 'type', prefixes: [match], window: 32 } })
  const ids = (tape) => tape.items.filter((item) => kindOf(item) === 'event').map((item) => item.getEvent().getEvent().getId().getString())
  const all = ids(first)
  const outcomes = []
  for (const [i, item] of first.items.entries()) {
    if (kindOf(item) !== 'checkpoint') continue
    const seen = first.items.slice(0, i).filter((other) => kindOf(other) === 'event').length
    const at = { commit: item.getCheckpoint().getCommitPosition(), prepare: item.getCheckpoint().getPreparePosition() }
    const again = await settled(t, { from: at, filter: { on: 'type', prefixes: [match], window: 32 } })
    const rest = ids(again)
    outcomes.push(rest.length === all.length - seen && rest.every((id, j) => id === all[seen + j]))
    again.stop()
  }
  t.record('resumed from each checkpoint: exactly the rest', { all: outcomes.every(Boolean), any: outcomes.length > 0 })
  first.stop()
  return stream
}

async function throughClient (t) {
  const { stream, from } = await fill(t, 100)
  const seen = []
  const subscription = t.client.subscribeToAll({
    fromPosition: from,
    filter: es.streamNameFilter({
      prefixes: [t.name('none')],
      maxSearchWindow: 32,
      checkpointInterval: 1,
      checkpointReached: async () => {
        seen.push('checkpointReached')
      },
    }),
  })
  for (const name of ['confirmation', 'caughtUp', 'fellBehind']) subscription.on(name, () => seen.push(name))
  subscription.on('error', (error) => seen.push(clientError(error)))
  subscription.on('data', () => seen.push('event'))
  await sleep(700)
  for (let i = 0; i < 5; i++) await t.client.appendToStream(stream, t.json('l'))
  await sleep(500)
  t.record('what the client tells', {
    kinds: [...new Set(seen.map(String))],
    'confirmation first': seen[0] === 'confirmation',
    checkpoints: seen.filter((name) => name === 'checkpointReached').length,
  })
  await subscription.unsubscribe()
}

async function slowReader (t) {
  const stream = t.name('s')
  const { position: from } = await t.client.appendToStream(stream, t.json('b'))
  const tape = await settled(t, { from })
  tape.source.pause()
  const blob = Buffer.alloc(4096, 1)
  for (let round = 0; round < 20; round++) {
    await t.client.appendToStream(
      stream,
      Array.from({ length: 200 }, () => es.binaryEvent({ type: 'b', data: blob, id: t.id('b') }))
    )
  }
  await sleep(1000)
  tape.source.resume()
  await tape.until((items) => countOf(items, 'event') >= 4000, 20_000)
  await tape.quiet()
  const own = tape.items.filter((item) => kindOf(item) === 'event' && t.isOwnItem(item))
  const states = tape.items.map(kindOf).filter((kind) => kind === 'caughtUp' || kind === 'fellBehind')
  t.record('a reader that stops reading while 16 MB are written', {
    'events in order, none twice, none missing':
      own.length === 4000 && own.every((item, i) => Number(item.getEvent().getEvent().getStreamRevision()) === i + 1),
    'fellBehind seen': states.includes('fellBehind'),
    'last of them': states.at(-1),
    ended: tape.end === undefined ? 'no' : line`${tape.end === 'end' ? 'end' : tape.end.code}`,
  })
}

export const scenarios = [
  { name: 'subscribe all: from start', run: fromStart },
  { name: 'subscribe all: where it starts', run: starts },
  { name: 'subscribe all: filters', run: filters },
  { name: 'subscribe all: system events', run: system },
  { name: 'subscribe all: order', run: order },
  checkpoints('nothing matches, short', { n: 10, live: 40, windows: [[1, 1], [4, 1], [4, 3], [32, 1], [undefined, 1]] }),
  checkpoints('nothing matches, long', { n: 300, live: 70, windows: [[32, 1], [32, 2], [32, 5], [undefined, 1], [undefined, 3]] }),
  checkpoints('every 10th matches', { n: 100, live: 45, every: 10, windows: [[4, 1], [32, 1], [32, 2], [undefined, 1]] }),
  checkpoints('everything matches', { n: 40, live: 10, every: 1, windows: [[4, 1], [32, 1]] }),
  checkpoints('nothing to catch up with', { n: 0, live: 5, windows: [[1, 1], [32, 1]] }),
  { name: 'subscribe all: checkpoints, from end', run: fromEnd },
  { name: 'subscribe all: checkpoints, resuming', run: resume },
  { name: 'subscribe all: through the client', run: throughClient },
  { name: 'subscribe all: slow reader', run: slowReader },
]
