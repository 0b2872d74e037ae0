// Events to bytes and back: checked against the catalogue on both ways, personal fields sealed, old versions lifted.
import { categoryOf, type LogEvent, type RecordedEvent } from '../../src/domain/catalogue.ts'
import { Refusal } from '../../src/domain/codes.ts'
import type { EventDefinition, EventMetadata } from '../../src/domain/event.ts'
import { Clear, type Sealed } from '../../src/domain/personal.ts'
import { UnreadableEvent } from '../../src/log-errors.ts'
import type { NewEvent, Vault } from '../../src/ports.ts'
import type { EncodedEvent } from './batch.ts'
import type { StoredEvent } from './records.ts'
import { complaint, metadataShape, shapeOf, type EventShape, type Shape } from './shapes.ts'
import type { PersonalWalk } from './personal-fields.ts'

/** An event that no schema of the catalogue fits was about to be appended: a mistake of the program, not of its caller. */
class InvalidEvent extends Error {
  override readonly name = 'InvalidEvent'
}

/** An event as it is about to be recorded: sealed, and as bytes. */
export interface Encoded { bytes: EncodedEvent, sealed: Pick<RecordedEvent, 'id' | 'type' | 'data' | 'metadata'> }

interface Standing { stream: string, id: string }

/**
 * Seals and checks one event.
 * @throws InvalidEvent if it does not fit the catalogue, Refusal `invalid_request` for text that Postgres could not hold
 */
export const encode = async (vault: Vault, stream: string, event: NewEvent): Promise<Encoded> => {
  const shape = shapeOf(categoryOf(stream), event.type)
  if (shape === undefined) throw new InvalidEvent(`${event.type} is no event of ${categoryOf(stream)} streams`)
  const standing = { stream, id: event.id }
  const data = await seal(vault, standing, shape.personal, event.data, 'data')
  const metadata = await seal(vault, standing, metadataShape.personal, event.metadata, 'metadata')
  const wrong = misfit(shape, data) ?? misfit(metadataShape, metadata) ?? wrongVersion(shape, event.metadata)
  if (wrong !== undefined) throw new InvalidEvent(`${event.type} in ${stream}: ${wrong}`)
  return {
    bytes: { id: event.id, type: event.type, data: bytesOf(data), metadata: bytesOf(metadata) },
    sealed: { id: event.id, type: event.type, data, metadata } as Encoded['sealed']
  }
}

const wrongVersion = ({ definition }: EventShape, { schemaVersion }: EventMetadata): string | undefined =>
  schemaVersion === definition.version ? undefined : `schemaVersion is ${schemaVersion}, not ${definition.version}`

const misfit = ({ check }: Shape, value: unknown): string | undefined => check.Check(value) ? undefined : complaint(check, value)

const bytesOf = (value: unknown): Uint8Array => {
  const text = JSON.stringify(value)
  if (isUnstorable(text)) throw unstorable()
  return Buffer.from(text, 'utf8')
}

/** JSON writes NUL and lone surrogates as escapes, and what it escapes otherwise is harmless. */
const isUnstorable = (json: string): boolean =>
  json.includes('\\u') && /(?<!\\)(?:\\\\)*\\u(?:0000|d[89a-f][0-9a-f]{2})/i.test(json)

const unstorable = () => new Refusal('invalid_request', 'A text holds NUL or half a surrogate pair. Send it without.')

const seal = async (vault: Vault, standing: Standing, walk: PersonalWalk | undefined, value: unknown, root: string): Promise<unknown> => {
  if (walk === undefined) return value
  const clear: Array<{ path: string, text: Clear }> = []
  walk(value, root, (personal, path) => {
    if (personal instanceof Clear) clear.push({ path, text: personal })
    return personal
  })
  const sealed = new Map<string, Sealed>()
  for (const { path, text } of clear) sealed.set(path, await sealText(vault, standing, text, path))
  return walk(value, root, (personal, path) => sealed.get(path) ?? proven(personal, standing, path))
}

const sealText = (vault: Vault, { stream, id }: Standing, clear: Clear, field: string): Promise<Sealed> => {
  const text = clear.reveal()
  if (isUnstorable(JSON.stringify(text))) throw unstorable()
  return vault.seal(text, { subject: clear.subject, stream, eventId: id, field })
}

const proven = (personal: unknown, standing: Standing, path: string): unknown => {
  if (stands(personal, standing, path)) return personal
  throw new InvalidEvent(`${standing.stream}: ${path} holds an envelope of another place`)
}

/** An envelope names the place it was sealed for, and its cipher holds it to that. */
const stands = (personal: unknown, { stream, id }: Standing, path: string): boolean =>
  (personal as Partial<Sealed> | null)?.at === `${stream}/${id}/${path}`

/**
 * The event as its readers know it: checked, lifted to the current version, still sealed.
 * @throws UnreadableEvent naming its place, never its content
 */
export const decode = (stored: StoredEvent): LogEvent => {
  const unreadable = (why: string) => new UnreadableEvent(stored, why)
  const shape = shapeOf(categoryOf(stored.stream), stored.type)
  if (shape === undefined) throw unreadable(`it is no event of ${categoryOf(stored.stream)} streams`)
  if (isUnstorable(stored.data) || isUnstorable(stored.metadata)) throw unreadable('it holds NUL or half a surrogate pair')
  const metadata = parse(stored.metadata, () => unreadable('its metadata is not JSON'))
  if (!metadataShape.check.Check(metadata)) throw unreadable(`metadata: ${complaint(metadataShape.check, metadata)}`)
  const data = lift(shape.definition, (metadata as EventMetadata).schemaVersion, parse(stored.data, () => unreadable('its data is not JSON')), unreadable)
  if (!shape.check.Check(data)) throw unreadable(`data: ${complaint(shape.check, data)}`)
  const check = (personal: unknown, path: string) => {
    if (!stands(personal, stored, path)) throw unreadable(`${path} holds an envelope of another place`)
    return personal
  }
  shape.personal?.(data, 'data', check)
  metadataShape.personal?.(metadata, 'metadata', check)
  const { id, stream, type, revision, position, created } = stored
  return { id, stream, type, revision, position, created, data, metadata } as LogEvent
}

const parse = (text: string, failed: () => Error): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    throw failed()
  }
}

/** Turns data of an old version into data of the current one; what it makes is checked against the schema afterwards. */
export const lift = (definition: EventDefinition, version: number, data: unknown, unreadable: (why: string) => Error): unknown => {
  if (version < 1 || version > definition.version) throw unreadable(`its version ${version} is not known here (current: ${definition.version})`)
  let lifted = data
  for (let from = version; from < definition.version; from++) {
    const upcast = definition.upcasters[from]
    if (upcast === undefined) throw unreadable(`nothing lifts version ${from} to ${from + 1}`)
    try {
      lifted = upcast(lifted)
    } catch {
      throw unreadable(`version ${from} could not be lifted to ${from + 1}`)
    }
  }
  return lifted
}
