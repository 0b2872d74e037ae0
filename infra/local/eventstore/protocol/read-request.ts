// Requests of Read: reads and subscriptions, of one stream or of everything, checked as the real server does.
import { Code, GrpcError } from '../grpc/status.ts'
import type { FilterRequest } from '../reading/filter.ts'
import { malformed, readStreamName } from './fields.ts'
import { WireReader } from './wire.ts'

/** A place in a stream or in $all: a revision, or commit and prepare position. */
export type From<T> = 'start' | 'end' | T
export interface Position { readonly commit: bigint, readonly prepare: bigint }

interface Common {
  readonly backwards: boolean
  readonly resolveLinks: boolean
  readonly structuredIds: boolean
  /** Undefined for a subscription. */
  readonly count: bigint | undefined
}
export interface StreamRead extends Common {
  readonly target: 'stream'
  readonly stream: string
  readonly from: From<bigint>
  /** From 1 on, a read tells where the stream begins and ends. */
  readonly compatibility: number
}
export interface AllRead extends Common {
  readonly target: 'all'
  readonly from: From<Position>
  readonly filter: FilterRequest | undefined
  /** Records looked at between two checkpoints of a filtered subscription. */
  readonly window: number
  readonly interval: number
}
export type ReadRequest = StreamRead | AllRead

const DEFAULT_WINDOW = 32

interface Raw {
  stream?: { name: string, from: From<bigint> | undefined }
  all?: { from: From<Position> | undefined }
  backwards: boolean
  resolveLinks: boolean
  count?: bigint
  subscription: boolean
  filter?: RawFilter
  noFilter: boolean
  uuid?: 'structured' | 'text'
  compatibility: number
}
interface RawFilter { on?: 'stream' | 'type', regex: string, prefixes: string[], window?: number, interval: number }

export const readReadRequest = (bytes: Buffer): ReadRequest => {
  const request = new WireReader(bytes)
  let raw: Raw | undefined
  while (request.next()) if (request.field === 1) raw = readOptions(request.message())
  if (!raw) throw malformed('options are missing')
  return check(raw)
}

const readOptions = (reader: WireReader): Raw => {
  const raw: Raw = { backwards: false, resolveLinks: false, subscription: false, noFilter: false, compatibility: 0 }
  while (reader.next()) {
    switch (reader.field) {
      case 1: raw.stream = readStreamTarget(reader.message()); break
      case 2: raw.all = readAllTarget(reader.message()); break
      case 3: raw.backwards = reader.number() === 1; break
      case 4: raw.resolveLinks = reader.number() !== 0; break
      case 5: raw.count = reader.bigint(); break
      case 6: raw.subscription = true; break
      case 7: raw.filter = readFilter(reader.message()); break
      case 8: raw.noFilter = true; break
      case 9: {
        const option = reader.message()
        while (option.next()) raw.uuid = option.field === 1 ? 'structured' : 'text'
        break
      }
      case 10: {
        const option = reader.message()
        while (option.next()) if (option.field === 1) raw.compatibility = option.number()
      }
    }
  }
  return raw
}

const readStreamTarget = (reader: WireReader): { name: string, from: From<bigint> | undefined } => {
  let name = ''
  let from: From<bigint> | undefined
  while (reader.next()) {
    switch (reader.field) {
      case 1: name = readStreamName(reader.message()); break
      case 2: from = reader.bigint(); break
      case 3: from = 'start'; break
      case 4: from = 'end'
    }
  }
  return { name, from }
}

const readAllTarget = (reader: WireReader): { from: From<Position> | undefined } => {
  let from: From<Position> | undefined
  while (reader.next()) {
    if (reader.field === 1) from = readPosition(reader.message())
    else if (reader.field === 2) from = 'start'
    else if (reader.field === 3) from = 'end'
  }
  return { from }
}

const readPosition = (reader: WireReader): Position => {
  let commit = 0n
  let prepare = 0n
  while (reader.next()) {
    if (reader.field === 1) commit = reader.bigint()
    else if (reader.field === 2) prepare = reader.bigint()
  }
  return { commit, prepare }
}

const readFilter = (reader: WireReader): RawFilter => {
  const filter: RawFilter = { regex: '', prefixes: [], interval: 0 }
  while (reader.next()) {
    switch (reader.field) {
      case 1: case 2: {
        filter.on = reader.field === 1 ? 'stream' : 'type'
        const expression = reader.message()
        while (expression.next()) {
          if (expression.field === 1) filter.regex = expression.text()
          else if (expression.field === 2) filter.prefixes.push(expression.text())
        }
        break
      }
      case 3: filter.window = reader.number(); break
      case 4: filter.window = DEFAULT_WINDOW; break
      case 5: filter.interval = reader.number()
    }
  }
  return filter
}

const invalid = (what: string): GrpcError => new GrpcError(Code.INVALID_ARGUMENT, what)

const check = (raw: Raw): ReadRequest => {
  if (!raw.uuid) throw malformed('how to write ids is not told')
  const { backwards, resolveLinks, subscription } = raw
  const filtered = raw.filter ? 'Filter' : raw.noFilter ? 'NoFilter' : 'None'
  const counted = subscription ? 'Subscription' : raw.count === undefined ? 'None' : 'Count'
  const from = raw.stream ? raw.stream.from : raw.all?.from
  if (from === undefined) throw malformed('where to begin is not told')
  if (raw.stream?.name === '') throw malformed('a stream name is required')
  if (counted === 'None' || filtered === 'None' || (raw.stream && raw.filter) || (subscription && backwards)) {
    throw invalid(`The combination of (${raw.stream ? 'Stream' : 'All'}, ${counted}, ${backwards ? 'Backwards' : 'Forwards'}, ${filtered}) is invalid.`)
  }
  const common: Common = { backwards, resolveLinks, structuredIds: raw.uuid === 'structured', count: subscription ? undefined : raw.count }
  if (raw.stream) return { ...common, target: 'stream', stream: raw.stream.name, from: raw.stream.from ?? 'start', compatibility: raw.compatibility }
  const { window, interval } = raw.filter ? checkFilter(raw.filter, subscription) : { window: DEFAULT_WINDOW, interval: 1 }
  const filter = raw.filter?.on ? { on: raw.filter.on, regex: raw.filter.regex, prefixes: raw.filter.prefixes } : undefined
  return { ...common, target: 'all', from: raw.all?.from ?? 'start', filter, window, interval }
}

const checkFilter = ({ on, window, interval }: RawFilter, subscription: boolean): { window: number, interval: number } => {
  if (on === undefined) throw invalid('a filter is on the stream name or on the event type')
  if (window === undefined) throw invalid('a filter has a window')
  if (subscription && interval === 0) throw malformed('the checkpoint interval may not be 0')
  return { window, interval }
}
