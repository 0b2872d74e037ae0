// Samples of recorded events: where they are kept, and how a first one is made from a schema.
import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { TSchema } from '@sinclair/typebox'

/** An event as the log holds it. */
export interface Sample { stream: string, id: string, data: unknown, metadata: unknown }

const folder = fileURLToPath(new URL('./events', import.meta.url))

export const sampleFile = (type: string, version: number): string => join(folder, `${type}.v${version}.json`)

const digest = (words: string) => createHash('sha256').update(words).digest('hex')
/** Looks like an id derived from the words. */
export const uuid = (words: string) => digest(words).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5')

/** Strings of the shapes that events use; the first that fits a pattern is taken. */
const candidates: ReadonlyArray<(path: string) => string> = [
  (path) => String(Number.parseInt(digest(path).slice(0, 6), 16)),
  () => 'some_word',
  () => 'auditor',
  uuid,
  (path) => `2026-01-02T03:04:0${Number.parseInt(digest(path).slice(0, 2), 16) % 10}.678Z`,
  digest,
  (path) => Buffer.from(digest(path), 'hex').toString('base64url'),
  () => 'en-GB',
  () => 'platform',
  (path) => digest(path).slice(0, 32),
  (path) => `https://service.example/${digest(path).slice(0, 8)}`,
  () => 'postgres://database.example:5432/app',
  () => 'redis://cache.example:6379/0',
  () => '/items/0/name'
]

/** How many samples show every member of every union, and every optional field present and absent. */
export const variantsOf = (schema: TSchema): number => {
  const below = [
    ...Object.values((schema['properties'] ?? {}) as Record<string, TSchema>),
    ...(schema['items'] === undefined ? [] : [schema['items'] as TSchema]),
    ...((schema['anyOf'] ?? []) as TSchema[])
  ].map(variantsOf)
  return Math.max(2, ((schema['anyOf'] ?? []) as TSchema[]).length, ...below)
}

/**
 * A value of a schema: variant 0 leaves out what is optional, union member n is shown by variant n. The same arguments
 * always give the same value.
 * @throws Error for a shape that it does not know: write that sample by hand
 */
export const valueOf = (schema: TSchema, path: string, variant: number, standing: { stream: string, id: string }): unknown => {
  const at = (name: string | number) => `${path}.${name}`
  if (schema['personal'] === true) {
    return { sealed: 'v1', subject: standing.stream, at: `${standing.stream}/${standing.id}/${path}`, value: Buffer.from(digest(path), 'hex').toString('base64url') }
  }
  if (Array.isArray(schema['anyOf'])) {
    const members = schema['anyOf'] as TSchema[]
    return valueOf(members[variant % members.length] as TSchema, path, variant, standing)
  }
  if ('const' in schema) return schema['const']
  switch (schema['type']) {
    case 'object': {
      const required = new Set(schema['required'] as string[] | undefined)
      return Object.fromEntries(Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>)
        .filter(([name]) => variant > 0 || required.has(name))
        .map(([name, property]) => [name, valueOf(property, at(name), variant, standing)]))
    }
    case 'array': return variant === 0 && Number(schema['minItems'] ?? 0) === 0 ? [] : [valueOf(schema['items'] as TSchema, at(0), variant, standing)]
    case 'string': return schema['pattern'] === undefined ? 'some text' : text(schema, path)
    case 'integer': return Math.max(Number(schema['minimum'] ?? -7), Math.min(Number(schema['maximum'] ?? 300), 300))
    case 'boolean': return variant % 2 === 1
    default: throw new Error(`${path}: no sample is known for ${JSON.stringify(schema)}`)
  }
}

const text = (schema: TSchema, path: string): string => {
  const pattern = new RegExp(String(schema['pattern']))
  const found = candidates.map((make) => make(path)).find((candidate) => pattern.test(candidate))
  if (found === undefined) throw new Error(`${path}: no sample is known for the pattern ${pattern}`)
  return found
}
