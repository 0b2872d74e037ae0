// Schemas that routes share: ids, times, cursors, places in the log. Queries are text: AJV coerces nothing here.
import { Type, type SchemaOptions, type TProperties, type TSchema } from '@sinclair/typebox'
import { VISIBLE } from '../../domain/visible.ts'

export const closed = { additionalProperties: false } as const

export const Id = () => Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$', maxLength: 36, description: 'UUID in lower case' })
/** ISO 8601 in UTC; `Date.parse` takes it, and the handler checks that it is a real moment. */
export const Time = () => Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?Z$', maxLength: 24, description: 'ISO 8601, UTC' })
/** Of what a position or revision is written: decimal, and never more than Postgres holds (int8). */
export const POSITION = '(?:0|[1-9]\\d{0,17}|[1-8]\\d{18}|9[01]\\d{17})'
export const DecimalString = (description?: string) => Type.String({ pattern: `^${POSITION}$`, maxLength: 19, ...description !== undefined && { description } })
/** A moment of the past; read it with `asOfIn` of src/http/as-of.ts. */
export const AsOfParameter = () => Type.String({
  pattern: `^(${POSITION}|\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}(\\.\\d{1,3})?Z)$`, maxLength: 24,
  description: 'What was known then: a position, or a time of append (ISO 8601, UTC)'
})
/** What an answer says of the moment it holds for. */
export const AsOfPlace = () => Type.Object({ position: DecimalString(), at: Time() }, closed)
export const Cursor = () => Type.String({ pattern: '^[A-Za-z0-9_.~-]+$', maxLength: 256, description: 'next_cursor of the page before' })
/** A page's size as a query holds it; read it with `limitOf`. */
export const Limit = () => Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$', maxLength: 4, description: 'Items a page, 1 to 1000; default 100' })
export const limitOf = (query: { limit?: string }, otherwise = 100): number => query.limit === undefined ? otherwise : Number(query.limit)
/** Text with at least one character that can be seen. */
export const FreeText = (maxLength: number, description?: string) =>
  Type.String({ minLength: 1, maxLength, pattern: VISIBLE, ...description !== undefined && { description } })
/** Free text of an operator: personal, so it goes into the log sealed. */
export const Reason = (maxLength = 2000, description?: string) => FreeText(maxLength, description)
export const ReasonCode = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64 })
export const Ticket = () => Type.String({ pattern: '^[A-Za-z0-9#/_.:-]+$', maxLength: 64 })

export const Nullable = <T extends TSchema>(schema: T, description?: string) =>
  Type.Union([schema, Type.Null()], description === undefined ? {} : { description })
/** One of a list of words. */
export const OneOf = <T extends string>(words: readonly T[], options: SchemaOptions = {}) => Type.Union(words.map((word) => Type.Literal(word)), options)

/** Body of a command's answer: its own properties, and where the log stands with it. */
export const Accepted = <Properties extends TProperties>(properties: Properties) =>
  Type.Object({ ...properties, position: DecimalString(), revision: Type.Union([DecimalString(), Type.Literal('no_stream')]) }, closed)

/** A page of a list. */
export const Page = <Properties extends TProperties>(item: Properties, maxItems = 1000) => Type.Object({
  items: Type.Array(Type.Object(item, closed), { maxItems }),
  next_cursor: Type.Union([Cursor(), Type.Null()])
}, closed)

/** Body of a request that says everything in its path. */
export const Empty = Type.Object({}, closed)
