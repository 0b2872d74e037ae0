// H. Raw appends: what is on the wire, for good and for bad requests.
import { es, GoogleEmpty, grpc, sharedPb, streamsPb, Timestamp } from '../lib/client.mjs'
import { streamIdentifier, uuidMessage } from '../lib/context.mjs'
import { appendResp, batchResp, fullEvent, wireError } from '../lib/shape.mjs'
import { line } from '../lib/values.mjs'

const empty = () => new sharedPb.Empty()
const U64_MAX = '18446744073709551615'
const I64_MAX = '9223372036854775807'

const EXPECT = {
  no_stream: (o, e) => o.setNoStream(e()),
  any: (o, e) => o.setAny(e()),
  stream_exists: (o, e) => o.setStreamExists(e()),
  nothing: () => {},
}
for (const revision of ['0', '2', '5', I64_MAX, U64_MAX]) {
  EXPECT[`revision ${revision}`] = (o) => (o.setRevision ? o.setRevision(revision) : o.setStreamPosition(revision))
}

function proposed (Message, { id, structured, type = 't', contentType = 'application/json', data = '{}', metadata, extra = {} }) {
  const message = new Message()
  if (structured) {
    const uuid = new sharedPb.UUID()
    const parts = new sharedPb.UUID.Structured()
    const hex = structured.replaceAll('-', '')
    parts.setMostSignificantBits(String(BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`))))
    parts.setLeastSignificantBits(String(BigInt.asIntN(64, BigInt(`0x${hex.slice(16)}`))))
    uuid.setStructured(parts)
    message.setId(uuid)
  } else if (id !== null) message.setId(uuidMessage(id))
  if (type !== null) message.getMetadataMap().set('type', type)
  if (contentType !== null) message.getMetadataMap().set('content-type', contentType)
  for (const [key, value] of Object.entries(extra)) message.getMetadataMap().set(key, value)
  message.setData(Buffer.from(data).toString('base64'))
  if (metadata) message.setCustomMetadata(Buffer.from(metadata).toString('base64'))
  return message
}

// ---- plain ----

const plainOptions = (stream, expect) => {
  const options = new streamsPb.AppendReq.Options()
  if (stream !== null) options.setStreamIdentifier(streamIdentifier(stream))
  EXPECT[expect](options, empty)
  const request = new streamsPb.AppendReq()
  request.setOptions(options)
  return request
}
const plainEvent = (event) => {
  const request = new streamsPb.AppendReq()
  request.setProposedMessage(proposed(streamsPb.AppendReq.ProposedMessage, event))
  return request
}
const plain = (t, requests, metadata = new grpc.Metadata(), options = {}) =>
  new Promise((resolve, reject) => {
    const call = t.raw.append(metadata, options, (error, resp) => (error ? reject(error) : resolve(appendResp(resp))))
    call.on('error', () => {})
    for (const request of requests) call.write(request)
    call.end()
  })

async function plainAppend (t) {
  let n = 0
  for (const [state, count] of [['missing', 0], ['of 3 events', 3]]) {
    for (const expect of Object.keys(EXPECT)) {
      const stream = t.name(`s${n++}`)
      if (count) await t.client.appendToStream(stream, t.batch('seed', count))
      await t.step(`stream ${state}, expecting ${expect}`, () =>
        plain(t, [plainOptions(stream, expect), plainEvent({ id: t.id('e') })])
      )
    }
  }
  for (const [state, remove] of [['soft deleted', 'deleteStream'], ['tombstoned', 'tombstoneStream']]) {
    for (const expect of ['any', 'no_stream', 'stream_exists', 'revision 2', 'revision 5']) {
      const stream = t.name(`s${n++}`)
      await t.client.appendToStream(stream, t.batch('seed', 3))
      await t.client[remove](stream)
      await t.step(`stream ${state}, expecting ${expect}`, () =>
        plain(t, [plainOptions(stream, expect), plainEvent({ id: t.id('e') })])
      )
    }
  }
  for (const expect of ['any', 'no_stream', 'stream_exists', 'revision 2']) {
    const stream = t.name(`s${n++}`)
    await t.step(`no events, missing stream, expecting ${expect}`, () => plain(t, [plainOptions(stream, expect)]))
    await t.client.appendToStream(stream, t.batch('seed', 3))
    await t.step(`no events, stream of 3, expecting ${expect}`, () => plain(t, [plainOptions(stream, expect)]))
  }
}

const ODD_EVENTS = [
  ['no id', { id: null }],
  ['id is not a uuid', { id: 'nonsense' }],
  ['id is empty', { id: '' }],
  ['id of zeroes', { id: '00000000-0000-0000-0000-000000000000' }],
  ['upper case id', { id: '0A0B0C0D-0102-4304-8506-0708090A0B0C' }],
  ['structured id', { structured: '0a0b0c0d-0102-4304-8506-0708090a0b0d' }],
  ['no type', { type: null }],
  ['empty type', { type: '' }],
  ['no content-type', { contentType: null }],
  ['unknown content-type', { contentType: 'text/plain' }],
  ['empty content-type', { contentType: '' }],
  ['octet-stream', { contentType: 'application/octet-stream' }],
  ['json that is not json', { data: '{not json' }],
  ['json with no data', { data: '' }],
  ['further metadata keys', { extra: { other: 'x', created: '1' } }],
  ['custom metadata that is not json', { metadata: 'not json' }],
]

async function plainOdd (t) {
  for (const [title, event] of ODD_EVENTS) {
    const stream = t.name(title.replaceAll(' ', '-'))
    await t.step(`event with ${title}`, () => plain(t, [plainOptions(stream, 'any'), plainEvent({ id: t.id('e'), ...event })]))
    await t.step(`event with ${title}: read`, async () => (await t.readStream(stream)).map(fullEvent))
  }
  const stream = () => t.name('odd')
  await t.step('nothing at all', () => plain(t, []))
  await t.step('no options first', () => plain(t, [plainEvent({ id: t.id('e') })]))
  await t.step('options twice', () =>
    plain(t, [plainOptions(stream(), 'any'), plainOptions(stream(), 'any'), plainEvent({ id: t.id('e') })])
  )
  await t.step('options after an event', () =>
    plain(t, [plainOptions(stream(), 'any'), plainEvent({ id: t.id('e') }), plainOptions(stream(), 'any')])
  )
  await t.step('an empty request', () => plain(t, [plainOptions(stream(), 'any'), new streamsPb.AppendReq()]))
  await t.step('no stream identifier', () => plain(t, [plainOptions(null, 'any'), plainEvent({ id: t.id('e') })]))
  await t.step('empty stream name', () => plain(t, [plainOptions('', 'any'), plainEvent({ id: t.id('e') })]))
  await t.step('bytes that are not UTF-8 as a stream name', () => {
    const request = plainOptions(null, 'any')
    const identifier = new sharedPb.StreamIdentifier()
    identifier.setStreamName(Uint8Array.of(0x61, 0xff, 0xfe))
    request.getOptions().setStreamIdentifier(identifier)
    return plain(t, [request, plainEvent({ id: t.id('e') })])
  })
  await t.step('too large', () =>
    plain(t, [plainOptions(stream(), 'any'), plainEvent({ id: t.id('e'), data: 'x'.repeat(1024 * 1024 + 1) })])
  )
  await t.step('a single message of 5 MiB', () =>
    plain(t, [plainOptions(stream(), 'any'), plainEvent({ id: t.id('e'), data: 'x'.repeat(5 * 1024 * 1024) })])
  )
  const leader = new grpc.Metadata()
  leader.set('requires-leader', 'true')
  await t.step('requires-leader true', () => plain(t, [plainOptions(stream(), 'any'), plainEvent({ id: t.id('e') })], leader))
  const login = new grpc.Metadata()
  login.set('authorization', `Basic ${Buffer.from('nobody:wrong').toString('base64')}`)
  await t.step('wrong login on an insecure server', () =>
    plain(t, [plainOptions(stream(), 'any'), plainEvent({ id: t.id('e') })], login)
  )
}

// ---- batch ----

const batchOptions = (stream, expect, deadline = Date.now() + 10_000) => {
  const options = new streamsPb.BatchAppendReq.Options()
  if (stream !== null) options.setStreamIdentifier(streamIdentifier(stream))
  EXPECT[expect](options, () => new GoogleEmpty())
  if (deadline !== null) options.setDeadline(Timestamp.fromDate(new Date(deadline)))
  return options
}
const batchReq = ({ id, options, events = [], final = true }) => {
  const request = new streamsPb.BatchAppendReq()
  if (id !== null) request.setCorrelationId(uuidMessage(id))
  if (options) request.setOptions(options)
  for (const event of events) request.addProposedMessages(proposed(streamsPb.BatchAppendReq.ProposedMessage, event))
  request.setIsFinal(final)
  return request
}
/** Sends the requests on one call and tells the answers, in order, and how the call ended. */
async function batch (t, requests, answers = 1) {
  const call = t.raw.batchAppend()
  const tape = t.tape(call, () => call.cancel())
  for (const request of requests) call.write(request)
  await tape.until((items) => items.length >= answers, 3000)
  await tape.quiet(100)
  const out = tape.items.map((item) => (typeof item === 'string' ? item : batchResp(item)))
  out.push(tape.end === undefined ? '(open)' : tape.end === 'end' ? '(end)' : { error: wireError(tape.end) })
  tape.stop()
  return out
}

async function batchAppend (t) {
  let n = 0
  for (const [state, count] of [['missing', 0], ['of 3 events', 3]]) {
    for (const expect of Object.keys(EXPECT)) {
      const stream = t.name(`s${n++}`)
      if (count) await t.client.appendToStream(stream, t.batch('seed', count))
      await t.step(`stream ${state}, expecting ${expect}`, () =>
        batch(t, [batchReq({ id: t.id('c'), options: batchOptions(stream, expect), events: [{ id: t.id('e') }] })])
      )
    }
  }
  for (const [state, remove] of [['soft deleted', 'deleteStream'], ['tombstoned', 'tombstoneStream']]) {
    for (const expect of ['any', 'no_stream', 'stream_exists', 'revision 2', 'revision 5']) {
      const stream = t.name(`s${n++}`)
      await t.client.appendToStream(stream, t.batch('seed', 3))
      await t.client[remove](stream)
      await t.step(`stream ${state}, expecting ${expect}`, () =>
        batch(t, [batchReq({ id: t.id('c'), options: batchOptions(stream, expect), events: [{ id: t.id('e') }] })])
      )
    }
  }
  for (const expect of ['any', 'no_stream', 'stream_exists', 'revision 2']) {
    const stream = t.name(`s${n++}`)
    await t.step(`no events, missing stream, expecting ${expect}`, () =>
      batch(t, [batchReq({ id: t.id('c'), options: batchOptions(stream, expect) })])
    )
  }
}

async function batchCourse (t) {
  const one = t.name('one')
  const two = t.name('two')
  const [c1, c2] = [t.id('c1'), t.id('c2')]
  await t.step('in three parts, final last', async () =>
    batch(t, [
      batchReq({ id: c1, options: batchOptions(one, 'no_stream'), events: [{ id: t.id('a1') }], final: false }),
      batchReq({ id: c1, events: [{ id: t.id('a2') }], final: false }),
      batchReq({ id: c1, events: [{ id: t.id('a3') }], final: true }),
    ])
  )
  await t.step('... stream', () => t.revisions(one))
  await t.step('two batches interleaved, both final at the end', async () => {
    const [d1, d2] = [t.id('d1'), t.id('d2')]
    const answers = await batch(
      t,
      [
        batchReq({ id: d1, options: batchOptions(two, 'no_stream'), events: [{ id: t.id('b1') }], final: false }),
        batchReq({ id: d2, options: batchOptions(t.name('three'), 'no_stream'), events: [{ id: t.id('b2') }], final: false }),
        batchReq({ id: d1, events: [{ id: t.id('b3') }] }),
        batchReq({ id: d2, events: [{ id: t.id('b4') }] }),
      ],
      2
    )
    return answers
  })
  await t.step('... first stream', () => t.revisions(two))
  await t.step('final without options, unknown correlation id', () =>
    batch(t, [batchReq({ id: c2, events: [{ id: t.id('x1') }] })])
  )
  await t.step('not final, then the call is closed', () =>
    batch(t, [batchReq({ id: t.id('c3'), options: batchOptions(t.name('open'), 'any'), events: [{ id: t.id('y1') }], final: false })], 1)
  )
  await t.step('... stream', () => t.revisions(t.name('open')))
  await t.step('the same correlation id twice', () =>
    batch(
      t,
      [1, 2].map((n) => batchReq({ id: c1, options: batchOptions(t.name(`again${n}`), 'any'), events: [{ id: t.id('z') }] })),
      2
    )
  )
  await t.step('an error does not end the call', () =>
    batch(
      t,
      [
        batchReq({ id: t.id('bad'), options: batchOptions(one, 'no_stream'), events: [{ id: t.id('w1') }] }),
        batchReq({ id: t.id('good'), options: batchOptions(one, 'any'), events: [{ id: t.id('w2') }] }),
      ],
      2
    )
  )
  await t.step("the client's half of the call is closed: does the server close its own within 2 s", async () => {
    const call = t.raw.batchAppend()
    const tape = t.tape(call, () => call.cancel())
    call.write(batchReq({ id: t.id('h'), options: batchOptions(one, 'any'), events: [{ id: t.id('h1') }] }))
    await tape.until((items) => items.length >= 1, 3000)
    call.end()
    await tape.until(() => tape.end !== undefined, 2000)
    return tape.end === undefined ? 'no' : tape.end === 'end' ? 'yes' : wireError(tape.end)
  })
  await t.step('200 batches at once on one call', async () => {
    const ids = Array.from({ length: 200 }, () => t.id('many'))
    const call = t.raw.batchAppend()
    const tape = t.tape(call, () => call.cancel())
    ids.forEach((id, i) =>
      call.write(batchReq({ id, options: batchOptions(t.name(`many${i % 5}`), 'any'), events: [{ id: t.id('m') }] }))
    )
    await tape.until((items) => items.length >= 200)
    const answered = tape.items.map((item) => item.getCorrelationId().getString())
    return {
      answers: answered.length,
      'in the order of the requests': answered.every((id, i) => id === ids[i]),
      successes: tape.items.filter((item) => item.hasSuccess()).length,
    }
  })
}

async function batchOdd (t) {
  for (const [title, event] of ODD_EVENTS) {
    const stream = t.name(title.replaceAll(' ', '-'))
    await t.step(`event with ${title}`, () =>
      batch(t, [batchReq({ id: t.id('c'), options: batchOptions(stream, 'any'), events: [{ id: t.id('e'), ...event }] })])
    )
    await t.step(`event with ${title}: read`, async () => (await t.readStream(stream)).map(fullEvent))
  }
  const event = () => [{ id: t.id('e') }]
  const odd = t.name('odd')
  for (const [title, build] of [
    ['no correlation id', () => batchReq({ id: null, options: batchOptions(odd, 'any'), events: event() })],
    ['correlation id is not a uuid', () => batchReq({ id: 'nonsense', options: batchOptions(odd, 'any'), events: event() })],
    ['no deadline', () => batchReq({ id: t.id('c'), options: batchOptions(odd, 'any', null), events: event() })],
    ['a deadline that is over', () => batchReq({ id: t.id('c'), options: batchOptions(odd, 'any', Date.now() - 5000), events: event() })],
    ['no stream identifier', () => batchReq({ id: t.id('c'), options: batchOptions(null, 'any'), events: event() })],
    ['empty stream name', () => batchReq({ id: t.id('c'), options: batchOptions('', 'any'), events: event() })],
    ['an empty request', () => new streamsPb.BatchAppendReq()],
    ['too large', () => batchReq({ id: t.id('c'), options: batchOptions(odd, 'any'), events: [{ id: t.id('e'), data: 'x'.repeat(1024 * 1024 + 1) }] })],
    ['a single message of 5 MiB', () => batchReq({ id: t.id('c'), options: batchOptions(odd, 'any'), events: [{ id: t.id('e'), data: 'x'.repeat(5 * 1024 * 1024) }] })],
  ]) {
    await t.step(title, () => batch(t, [build()]))
  }
  await t.step('too large in parts, then a good one on the same call', () => {
    const c = t.id('c')
    const part = () => [{ id: t.id('e'), data: 'x'.repeat(600 * 1024) }]
    return batch(
      t,
      [
        batchReq({ id: c, options: batchOptions(odd, 'any'), events: part(), final: false }),
        batchReq({ id: c, events: part(), final: false }),
        batchReq({ id: c, events: part() }),
        batchReq({ id: t.id('good'), options: batchOptions(t.name('good'), 'no_stream'), events: event() }),
      ],
      2
    )
  })
  await t.step('stream of the odd ones', async () => line`${(await t.readStream(odd)).length} events`)
}

async function readErrors (t) {
  const hard = t.name('hard')
  await t.client.appendToStream(hard, t.json('e'))
  await t.client.tombstoneStream(hard)
  await t.step('read of a tombstoned stream', () => t.rawReadLines({ stream: hard }))
  await t.step('read of a missing stream', () => t.rawReadLines({ stream: t.name('none') }))
  await t.step('a read without options', async () => {
    const call = t.raw.read(new streamsPb.ReadReq())
    const tape = t.tape(call, () => call.cancel())
    await tape.until(() => false, 3000)
    return tape.end instanceof Error ? { error: wireError(tape.end) } : String(tape.end)
  })
  await t.step('unary call to a method that does not exist', () => {
    const path = '/event_store.client.streams.Streams/Nonsense'
    const id = (x) => x
    return new Promise((resolve, reject) =>
      t.raw.makeUnaryRequest(path, () => Buffer.alloc(0), id, {}, (error) => (error ? reject(error) : resolve('answered')))
    )
  })
  await t.step('unary call to a service that does not exist', () => {
    const path = '/event_store.client.nonsense.Nonsense/Nonsense'
    const id = (x) => x
    return new Promise((resolve, reject) =>
      t.raw.makeUnaryRequest(path, () => Buffer.alloc(0), id, {}, (error) => (error ? reject(error) : resolve('answered')))
    )
  })
  await t.step('client: deleteStream expecting stream_exists, which it cannot express', () =>
    t.client.deleteStream(t.name('none'), { expectedRevision: es.STREAM_EXISTS })
  )
}

export const scenarios = [
  { name: 'wire: plain append', run: plainAppend },
  { name: 'wire: plain append, odd requests', run: plainOdd },
  { name: 'wire: batch append', run: batchAppend },
  { name: 'wire: batch append, course of a call', run: batchCourse },
  { name: 'wire: batch append, odd requests', run: batchOdd },
  { name: 'wire: other errors', run: readErrors },
]
