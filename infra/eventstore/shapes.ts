// Every event type of the catalogue with its compiled schema and the walk over its personal fields.
import { TypeCompiler, type TypeCheck } from '@sinclair/typebox/compiler'
import type { TSchema } from '@sinclair/typebox'
import { catalogue } from '../../src/domain/catalogue.ts'
import type { EventDefinition } from '../../src/domain/event.ts'
import { MetadataSchema } from './metadata-schema.ts'
import { personalWalk, type PersonalWalk } from './personal-fields.ts'

export interface Shape { check: TypeCheck<TSchema>, personal: PersonalWalk | undefined }
export interface EventShape extends Shape { definition: EventDefinition }

const compile = (schema: TSchema): Shape => ({ check: TypeCompiler.Compile(schema), personal: personalWalk(schema) })

export const metadataShape: Shape = compile(MetadataSchema)

/** Category → type → shape. Compiled when first met: most processes meet few types at once, and start quickly. */
const shapes = new Map<string, EventShape>()

export const shapeOf = (category: string, type: string): EventShape | undefined => {
  const key = `${category} ${type}`
  const known = shapes.get(key)
  if (known !== undefined) return known
  const definitions: Record<string, Record<string, EventDefinition>> = catalogue
  const definition = Object.hasOwn(definitions, category) && Object.hasOwn(definitions[category] ?? {}, type)
    ? definitions[category]?.[type]
    : undefined
  if (definition === undefined) return undefined
  const shape = { ...compile(definition.schema), definition }
  shapes.set(key, shape)
  return shape
}

/** What does not fit, without the value: paths and expectations only. */
export const complaint = (check: TypeCheck<TSchema>, value: unknown): string => {
  const first = check.Errors(value).First()
  return first === undefined ? 'it does not fit its schema' : `${first.path === '' ? 'it' : first.path}: ${first.message}`
}
