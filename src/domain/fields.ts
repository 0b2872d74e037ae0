// The shapes that events share: ids, instants, hashes and counts, each with its bounds.
import { Type } from '@sinclair/typebox'

export const Uuid = () => Type.String({ pattern: '^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$' })
export const InstantField = () => Type.String({ pattern: '^\\d{4}-\\d{2}-\\d{2}T\\d{2}:\\d{2}:\\d{2}\\.\\d{3}Z$' })
export const Base64Url = (maxLength: number) => Type.String({ pattern: '^[A-Za-z0-9_-]+$', maxLength })
/** A keyed hash or digest, 32 bytes in lower-case hex. */
export const Hash = () => Type.String({ pattern: '^[0-9a-f]{64}$' })
export const Position = () => Type.String({ pattern: '^(0|[1-9]\\d{0,18})$' })
export const Count = (maximum = 1_000_000) => Type.Integer({ minimum: 0, maximum })
/** A word of a closed or documented vocabulary: lower case, snake_case, dots. */
export const Word = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64 })
export const closed = { additionalProperties: false } as const
