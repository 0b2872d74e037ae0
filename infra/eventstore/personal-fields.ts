// Where the personal fields of a schema are, and a walk over them in a value.
import type { TSchema } from '@sinclair/typebox'

/** Replaces one personal field; `path` names it as the sealed envelope does. */
export type Replace = (value: unknown, path: string) => unknown

/** Returns the value with every personal field replaced; the very same value if there is none. */
export type PersonalWalk = (value: unknown, path: string, replace: Replace) => unknown

/** The walk over values of a schema, or undefined if it has no personal field. Known: objects and arrays, to any depth. */
export const personalWalk = (schema: TSchema): PersonalWalk | undefined => {
  if (schema['personal'] === true) return (value, path, replace) => replace(value, path)
  if (schema['type'] === 'object') return objectWalk(schema)
  if (schema['type'] === 'array') return arrayWalk(schema)
  return undefined
}

const objectWalk = (schema: TSchema): PersonalWalk | undefined => {
  const walks = Object.entries((schema['properties'] ?? {}) as Record<string, TSchema>)
    .flatMap(([name, property]) => {
      const walk = personalWalk(property)
      return walk === undefined ? [] : [{ name, walk }]
    })
  if (walks.length === 0) return undefined
  return (value, path, replace) => {
    if (!isRecord(value)) return value
    const replaced: Record<string, unknown> = { ...value }
    for (const { name, walk } of walks) if (replaced[name] !== undefined) replaced[name] = walk(replaced[name], `${path}.${name}`, replace)
    return replaced
  }
}

const arrayWalk = (schema: TSchema): PersonalWalk | undefined => {
  const walk = personalWalk(schema['items'] as TSchema)
  return walk && ((value, path, replace) =>
    Array.isArray(value) ? value.map((item, at) => walk(item, `${path}.${at}`, replace)) : value)
}

const isRecord = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null
