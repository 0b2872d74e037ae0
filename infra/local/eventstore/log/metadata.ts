// Stream metadata as far as it bears on reads: $maxCount, $maxAge, $tb, and what a soft delete writes.

export interface StreamMetadata {
  readonly maxCount?: number
  readonly maxAgeMs?: number
  readonly truncateBefore?: number
}

/** A soft delete truncates before the greatest revision there can be. */
const SOFT_DELETED = 2 ** 63

export const NO_METADATA: StreamMetadata = {}
/** A metastream always keeps its last event only, and cannot be soft deleted. */
export const METASTREAM_METADATA: StreamMetadata = { maxCount: 1 }
export const SOFT_DELETE_JSON = '{"$tb":9223372036854775807}'

export const isSoftDeleted = (metadata: StreamMetadata): boolean =>
  metadata.truncateBefore !== undefined && metadata.truncateBefore >= SOFT_DELETED

export const isMetastream = (name: string): boolean => name.startsWith('$$')
export const metastreamOf = (name: string): string => `$$${name}`
export const streamOfMetastream = (name: string): string => name.slice(2)

const parseObject = (json: Buffer): Record<string, unknown> | undefined => {
  try {
    const parsed: unknown = JSON.parse(json.toString('utf8'))
    return typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed) ? parsed as Record<string, unknown> : undefined
  } catch {
    return undefined
  }
}

/** Metadata with one value that makes no sense counts as none, as in the real server. */
export const parseMetadata = (json: Buffer): StreamMetadata => {
  const object = parseObject(json)
  if (!object) return NO_METADATA
  const out: { maxCount?: number, maxAgeMs?: number, truncateBefore?: number } = {}
  const least = { $maxCount: 1, $maxAge: 1, $tb: 0 }
  for (const [key, minimum] of Object.entries(least)) {
    const value = object[key]
    if (value === undefined) continue
    if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum) return NO_METADATA
    if (key === '$maxCount') out.maxCount = value
    else if (key === '$maxAge') out.maxAgeMs = value * 1000
    else out.truncateBefore = value
  }
  return out
}

/** The metadata that brings a soft deleted stream back, from `revision` on; undefined if it is not a JSON object. */
export const revivedMetadata = (json: Buffer, revision: number): string | undefined => {
  const object = parseObject(json)
  return object && JSON.stringify({ ...object, $tb: revision })
}

/** The first revision that metadata leaves visible, age apart. */
export const firstVisible = (metadata: StreamMetadata, last: number): number =>
  Math.max(0, metadata.truncateBefore ?? 0, metadata.maxCount === undefined ? 0 : last - metadata.maxCount + 1)
