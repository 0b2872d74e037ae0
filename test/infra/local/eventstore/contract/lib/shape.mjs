// From client results, client errors and raw gRPC messages to records.
import { es, grpc, sharedPb } from './client.mjs'
import { line, pos } from './values.mjs'

const utf8 = (bytes) => Buffer.from(bytes).toString('utf8')
const firstLine = (message) => String(message ?? '').split(/\r?\n/)[0]

// ---- client level -------------------------------------------------------

const ERROR_FIELDS = [
  'streamName',
  'expectedVersion',
  'actualVersion',
  'maxAppendSize',
  'requiredMetadataProperties',
  'feature',
  'minimumVersion',
]

export function clientError (error) {
  if (!(error instanceof Error)) return { thrown: String(error) }
  const out = { class: error.constructor.name, type: error.type }
  if (typeof error.code === 'number') out.code = `${error.code} ${grpc.status[error.code]}`
  else if (error.code !== undefined) out.code = error.code
  for (const field of ERROR_FIELDS) if (error[field] !== undefined) out[field] = error[field]
  out.message = firstLine(error.message)
  return out
}

/** One-line form of an error, for tables. */
export function errorLine (error) {
  if (error instanceof es.WrongExpectedVersionError) {
    return line`WrongExpectedVersion expected=${error.expectedVersion} actual=${error.actualVersion}`
  }
  if (typeof error?.code === 'number' && !error.type) {
    const kind = error.metadata?.getMap?.()['exception']
    return line`grpc ${error.code} ${grpc.status[error.code]}${kind ? ` ${kind}` : ''}`
  }
  return line`${error.constructor.name}${typeof error.code === 'number' ? ` grpc ${error.code}` : ''}`
}

export const appendResult = (result) => ({
  success: result.success,
  nextExpectedRevision: result.nextExpectedRevision,
  position: pos(result.position),
})

export const appendLine = (result) =>
  line`${result.success ? 'ok' : 'refused'} next=${result.nextExpectedRevision} at ${pos(result.position)}`

const recordText = (record) => line`${record.streamId}@${record.revision} ${record.id} ${pos(record.position)}`

/** One-line form of a resolved event: event, its own position, the resolved event's commitPosition, the link. */
export function eventLine (resolved) {
  const body = resolved.event ? recordText(resolved.event) : '(no event)'
  const tail = resolved.link ? line`${body} via ${recordText(resolved.link)}` : body
  return resolved.commitPosition === undefined ? tail : line`${tail} commitPosition=${pos(resolved.commitPosition)}`
}

const fullRecord = (record) =>
  record && {
    streamId: record.streamId,
    revision: record.revision,
    id: record.id,
    type: record.type,
    isJson: record.isJson,
    data: record.data,
    metadata: record.metadata === undefined ? '(none)' : record.metadata,
    created: record.created,
    position: pos(record.position),
  }

export const fullEvent = (resolved) => ({
  event: fullRecord(resolved.event),
  link: fullRecord(resolved.link),
  commitPosition: pos(resolved.commitPosition),
})

// ---- raw gRPC level -----------------------------------------------------

const TRANSPORT_KEYS = new Set(['content-type', 'date', 'server', 'content-length', 'grpc-encoding', 'grpc-accept-encoding'])

export function wireError (error) {
  const trailers = {}
  for (const [key, value] of Object.entries(error.metadata?.getMap?.() ?? {})) {
    if (!TRANSPORT_KEYS.has(key)) trailers[key] = Buffer.isBuffer(value) ? value : firstLine(value)
  }
  return {
    code: `${error.code} ${grpc.status[error.code]}`,
    details: firstLine(error.details ?? error.message),
    trailers,
  }
}

const present = (message, names) => {
  const out = {}
  for (const [name, shape] of Object.entries(names)) {
    if (!message[`has${name}`]()) continue
    const value = message[`get${name}`]()
    out[name[0].toLowerCase() + name.slice(1)] = shape ? shape(value) : '(empty)'
  }
  return out
}

const number = (value) => String(value)
const wirePos = (message) => pos(message.getCommitPosition(), message.getPreparePosition())
const identifier = (message) => utf8(message.getStreamName_asU8())

export const uuidShape = (uuid) => {
  if (!uuid) return '(absent)'
  if (uuid.hasString()) return { string: uuid.getString() }
  if (!uuid.hasStructured()) return '(unset)'
  const s = uuid.getStructured()
  const hex = (v) => BigInt.asUintN(64, BigInt(v)).toString(16).padStart(16, '0')
  const all = hex(s.getMostSignificantBits()) + hex(s.getLeastSignificantBits())
  return { structured: all.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5') }
}

export const appendResp = (resp) =>
  present(resp, {
    Success: (s) =>
      present(s, { CurrentRevision: number, NoStream: null, Position: wirePos, NoPosition: null }),
    WrongExpectedVersion: (w) =>
      present(w, {
        CurrentRevision2060: number,
        NoStream2060: null,
        ExpectedRevision2060: number,
        Any2060: null,
        StreamExists2060: null,
        CurrentRevision: number,
        CurrentNoStream: null,
        ExpectedRevision: number,
        ExpectedAny: null,
        ExpectedStreamExists: null,
        ExpectedNoStream: null,
      }),
  })

const DETAILS = {
  'event_store.client.WrongExpectedVersion': [
    sharedPb.WrongExpectedVersion,
    (m) =>
      present(m, {
        CurrentStreamRevision: number,
        CurrentNoStream: null,
        ExpectedStreamPosition: number,
        ExpectedAny: null,
        ExpectedStreamExists: null,
        ExpectedNoStream: null,
      }),
  ],
  'event_store.client.StreamDeleted': [
    sharedPb.StreamDeleted,
    (m) => present(m, { StreamIdentifier: identifier }),
  ],
  'event_store.client.MaximumAppendSizeExceeded': [
    sharedPb.MaximumAppendSizeExceeded,
    (m) => ({ maxAppendSize: m.getMaxappendsize() }),
  ],
  'event_store.client.BadRequest': [sharedPb.BadRequest, (m) => ({ message: firstLine(m.getMessage()) })],
}

const anyShape = (any) => {
  const known = DETAILS[any.getTypeName()]
  return {
    typeUrl: any.getTypeUrl(),
    value: known ? known[1](known[0].deserializeBinary(any.getValue_asU8())) : any.getValue_asU8(),
  }
}

export const batchResp = (resp) => {
  const out = { correlationId: uuidShape(resp.getCorrelationId()) }
  if (resp.hasError()) {
    const error = resp.getError()
    out.error = {
      code: error.getCode(),
      message: firstLine(error.getMessage()),
      details: error.hasDetails() ? anyShape(error.getDetails()) : '(absent)',
    }
  }
  return Object.assign(
    out,
    present(resp, {
      Success: (s) =>
        present(s, { CurrentRevision: number, NoStream: null, Position: wirePos, NoPosition: null }),
      StreamIdentifier: identifier,
      StreamPosition: number,
      NoStream: null,
      Any: null,
      StreamExists: null,
    })
  )
}

export const deleteResp = (resp) => present(resp, { Position: wirePos, NoPosition: null })

const wireRecordText = (record) => {
  const id = record.getId()
  const idText = id?.hasString() ? id.getString() : uuidShape(id).structured
  return line`${identifier(record.getStreamIdentifier())}@${number(record.getStreamRevision())} ${idText} ${wirePos(record)}`
}

const wireEventLine = (event) => {
  const body = event.hasEvent() ? wireRecordText(event.getEvent()) : '(no event)'
  const via = event.hasLink() ? line`${body} via ${wireRecordText(event.getLink())}` : body
  if (event.hasCommitPosition()) return line`event ${via} commit_position=${pos(event.getCommitPosition())}`
  if (event.hasNoPosition()) return line`event ${via} no_position`
  return line`event ${via} position unset`
}

export const wireRecordFull = (record) => ({
  id: uuidShape(record.getId()),
  stream: identifier(record.getStreamIdentifier()),
  revision: number(record.getStreamRevision()),
  position: wirePos(record),
  metadata: Object.fromEntries(
    [...record.getMetadataMap().entries()]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, value]) => [key, key === 'created' ? createdShape(value) : value])
  ),
  customMetadata: record.getCustomMetadata_asU8(),
  data: record.getData_asU8(),
})

// "created" is a decimal count of 100 ns ticks since the Unix epoch.
const createdShape = (ticks) =>
  /^\d+$/.test(ticks) ? new Date(Number(BigInt(ticks) / 10_000n)) : `not a number: ${ticks}`

/** Kind of a ReadResp and its one-line form. */
export function readRespKind (resp) {
  const kinds = {
    Event: 'event',
    Confirmation: 'confirmation',
    Checkpoint: 'checkpoint',
    StreamNotFound: 'streamNotFound',
    FirstStreamPosition: 'firstStreamPosition',
    LastStreamPosition: 'lastStreamPosition',
    LastAllStreamPosition: 'lastAllStreamPosition',
    CaughtUp: 'caughtUp',
    FellBehind: 'fellBehind',
  }
  for (const [name, kind] of Object.entries(kinds)) if (resp[`has${name}`]()) return kind
  return '(unset)'
}

export function readRespLine (resp) {
  const kind = readRespKind(resp)
  switch (kind) {
    case 'event':
      return wireEventLine(resp.getEvent())
    case 'confirmation': {
      const id = resp.getConfirmation().getSubscriptionId()
      return /^[0-9a-f-]{36}$/i.test(id) ? 'confirmation (uuid)' : `confirmation ${id === '' ? '(empty)' : '(other)'}`
    }
    case 'checkpoint':
      return line`checkpoint ${wirePos(resp.getCheckpoint())}`
    case 'streamNotFound':
      return line`streamNotFound ${identifier(resp.getStreamNotFound().getStreamIdentifier())}`
    case 'firstStreamPosition':
      return line`firstStreamPosition ${number(resp.getFirstStreamPosition())}`
    case 'lastStreamPosition':
      return line`lastStreamPosition ${number(resp.getLastStreamPosition())}`
    case 'lastAllStreamPosition':
      return line`lastAllStreamPosition ${wirePos(resp.getLastAllStreamPosition())}`
    default:
      return kind
  }
}
