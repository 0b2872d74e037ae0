// Values that only get their final text when a scenario is over.

/** A place in the $all log: commit and prepare position. */
export class Position {
  constructor (commit, prepare) {
    this.commit = BigInt(commit)
    this.prepare = BigInt(prepare)
  }
}

/** Wraps `{commit, prepare}`; one argument alone means "a single position number". */
export const pos = (value, prepare) => {
  if (value === undefined || value === null) return undefined
  if (prepare !== undefined) return new Position(value, prepare)
  if (typeof value === 'object') return new Position(value.commit, value.prepare)
  return new Position(value, value)
}

/** A line of text with deferred values inside: line`event ${id} at ${pos(p)}`. */
export class Line {
  constructor (parts) {
    this.parts = parts
  }
}
export const line = (strings, ...values) =>
  new Line(strings.flatMap((text, i) => (i < values.length ? [text, values[i]] : [text])))

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/gi
const U64_MAX = 18446744073709551615n
const I64_MAX = 9223372036854775807n
const LONG_TEXT = 400

const positionsIn = (value, found = new Set()) => {
  if (value instanceof Position) {
    found.add(value.commit)
    found.add(value.prepare)
  } else if (value instanceof Line) {
    for (const part of value.parts) positionsIn(part, found)
  } else if (value && typeof value === 'object' && !ArrayBuffer.isView(value) && !(value instanceof Date)) {
    for (const part of Object.values(value)) positionsIn(part, found)
  }
  return found
}

/**
 * Turns the raw record of one scenario into plain JSON values.
 *  - positions become P1 < P2 < ... by rank within the scenario, so order and
 *    equality survive; "P3" means commit == prepare, "P4/P3" is commit/prepare;
 *  - UUIDs become the label they were registered with, or ?1, ?2, ... by first
 *    appearance;
 *  - the per-run prefix of stream and type names disappears;
 *  - dates become "recent" if they fall into the run.
 */
export function normalise (raw, { labels, prefix, startedAt }) {
  const ranked = [...positionsIn(raw)].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  const fixed = new Map([[0n, 'P0'], [U64_MAX, 'PMAX'], [I64_MAX, 'PI64MAX']])
  const names = new Map()
  let rank = 0
  for (const p of ranked) names.set(p, fixed.get(p) ?? `P${++rank}`)

  const unknown = new Map()
  const idName = (id) => {
    const known = labels.get(id.toLowerCase())
    if (known !== undefined) return known
    if (!unknown.has(id)) unknown.set(id, `?${unknown.size + 1}`)
    return unknown.get(id)
  }

  const text = (value) => {
    const out = value.replaceAll(prefix, '').replace(UUID, idName)
    if (out.length <= LONG_TEXT) return out
    return `${out.slice(0, 24)}...(${out.length} characters)`
  }

  const walk = (value) => {
    if (value === null || typeof value === 'boolean' || typeof value === 'number') return value
    if (typeof value === 'string') return text(value)
    if (typeof value === 'bigint') return `${value}n`
    if (value instanceof Position) {
      const commit = names.get(value.commit)
      const prepare = names.get(value.prepare)
      return commit === prepare ? commit : `${commit}/${prepare}`
    }
    if (value instanceof Line) {
      return value.parts.map((part) => (part === undefined ? '-' : String(walk(part)))).join('')
    }
    if (value instanceof Date) {
      const age = value.getTime() - startedAt
      return age > -60_000 && age < 3_600_000 ? 'recent' : value.toISOString()
    }
    if (ArrayBuffer.isView(value)) {
      const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      if (bytes.includes(prefix)) return `utf8:${text(bytes.toString('utf8'))}`
      return bytes.length <= 64 ? `hex:${bytes.toString('hex')}` : `${bytes.length} bytes`
    }
    if (Array.isArray(value)) return value.map((v) => (v === undefined ? null : walk(v)))
    const out = {}
    for (const [key, inner] of Object.entries(value)) {
      if (inner !== undefined) out[text(key)] = walk(inner)
    }
    return out
  }
  return walk(raw)
}
