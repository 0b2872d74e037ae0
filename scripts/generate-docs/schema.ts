// Says in a few words what a JSON schema allows.
import { code } from './markdown.ts'

/** The parts of a JSON schema that our TypeBox schemas use. */
export interface Schema {
  type?: string | readonly string[]
  const?: unknown
  enum?: readonly unknown[]
  anyOf?: readonly Schema[]
  items?: Schema
  properties?: Readonly<Record<string, Schema>>
  required?: readonly string[]
  pattern?: string
  format?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  maxItems?: number
  personal?: boolean
  description?: string
  default?: unknown
}

/** One line about a field's values, for a table cell. */
export const describe = (schema: Schema): string => {
  if (schema.personal === true) return 'sealed personal text'
  if (schema.const !== undefined) return code(typeof schema.const === 'string' ? schema.const : JSON.stringify(schema.const))
  if (schema.enum !== undefined) return schema.enum.map((value) => code(typeof value === 'string' ? value : JSON.stringify(value))).join(', ')
  if (schema.anyOf !== undefined) return schema.anyOf.map(describe).join(', ')
  switch (schema.type) {
    case 'string': return text(schema)
    case 'integer': case 'number': return number(schema)
    case 'array': return `list of ${describe(schema.items ?? {})}${limit(schema.maxItems, 'items')}`
    case 'object': return schema.properties === undefined ? 'object' : `{ ${Object.keys(schema.properties).join(', ')} }`
    case undefined: return 'anything'
    default: return typeof schema.type === 'string' ? schema.type : schema.type.join(' or ')
  }
}

/** Patterns of src/domain/fields.ts, by what they are called among people. */
const named: ReadonlyArray<readonly [start: string, name: string]> = [
  ['^[0-9a-f]{8}-', 'UUID'],
  ['^\\d{4}-\\d{2}-\\d{2}T', 'instant, ISO 8601 UTC with milliseconds'],
  ['^[A-Za-z0-9_-]+$', 'base64url'],
  ['^[0-9a-f]{64}$', '64 hex digits'],
  ['^(0|[1-9]\\d{0,18})$', 'position, decimal string'],
  ['^[a-z][a-z0-9_.]*$', 'word']
]

const text = ({ pattern, format, maxLength }: Schema): string => {
  if (format !== undefined) return format + limit(maxLength, 'characters')
  if (pattern === undefined) return `text${limit(maxLength, 'characters')}`
  const name = named.find(([start]) => pattern.startsWith(start))?.[1]
  return (name ?? code(pattern)) + limit(maxLength, 'characters')
}

const number = ({ type, minimum, maximum }: Schema): string => {
  if (minimum === undefined && maximum === undefined) return String(type)
  return `${String(type)} ${minimum ?? '…'}–${maximum ?? '…'}`
}

const limit = (maximum: number | undefined, unit: string): string => maximum === undefined ? '' : `, at most ${maximum} ${unit}`
