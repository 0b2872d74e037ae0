// What an entry of the lifecycle stream says of its event; field names as seed 003 has them, in camelCase.
import { Type } from '@sinclair/typebox'
import { Uuid, Word } from '../fields.ts'

export const lifecycleTypes = ['user.lifecycle.permanent_blocked', 'user.lifecycle.deleted'] as const
export type LifecycleType = (typeof lifecycleTypes)[number]

export const isLifecycleType = (type: string): type is LifecycleType => (lifecycleTypes as readonly string[]).includes(type)

/** Data of a lifecycle event: all that is published, so that an entry is a function of its event and its predecessor. */
export const lifecycleFields = () => ({
  userId: Uuid(),
  occurredAtMs: Type.Integer({ minimum: 0, maximum: 8_640_000_000_000_000 }),
  /** The calling service (decision 28). */
  source: Type.String({ minLength: 1, maxLength: 64 }),
  actorType: Type.Union([Type.Literal('principal'), Type.Literal('person'), Type.Literal('system')]),
  actorId: Type.Optional(Type.String({ minLength: 1, maxLength: 64 })),
  reasonCode: Word(),
  traceId: Type.Optional(Type.String({ pattern: '^[0-9a-f]{32}$' }))
})
