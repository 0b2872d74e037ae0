// Reads JSON strictly: what JSON.parse lets through and a stored event would carry on for ever is refused here.
import { Refusal } from '../domain/codes.ts'

/** Levels of arrays and objects within each other. */
const MAX_DEPTH = 16
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/**
 * Parses UTF-8 JSON. Refuses (`invalid_request`) what is not JSON or not UTF-8, keys that stand twice in one object,
 * `__proto__`, more than 16 levels, NUL and lone surrogates: Postgres takes neither, and one such event would stop a read model for good.
 */
export const readJson = (bytes: Uint8Array): unknown => {
  const text = decode(bytes)
  const value = parse(text)
  checkStructure(text)
  return value
}

const bad = (detail: string): never => { throw new Refusal('invalid_request', detail) }

const decode = (bytes: Uint8Array): string => {
  try {
    return utf8.decode(bytes)
  } catch {
    return bad('The body is not valid UTF-8.')
  }
}

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return bad('The body is not valid JSON.')
  }
}

/** Scans a text that is known to be JSON; so a quote can only begin a string, and a colon only follows a key. */
const checkStructure = (text: string): void => {
  /** Keys seen in each open object; undefined for an array. */
  const open: Array<Set<string> | undefined> = []
  for (let at = 0; at < text.length; at++) {
    const character = text.charCodeAt(at)
    if (character === 0x7b || character === 0x5b) {
      open.push(character === 0x7b ? new Set() : undefined)
      if (open.length > MAX_DEPTH) bad(`The body nests deeper than ${MAX_DEPTH} levels.`)
    } else if (character === 0x7d || character === 0x5d) {
      open.pop()
    } else if (character === 0x22) {
      const end = endOfString(text, at)
      const key = isKey(text, end)
      const raw = text.slice(at + 1, end)
      // Without an escape there is nothing to look for: valid UTF-8 holds no half pairs, and valid JSON no bare NUL.
      const string = raw.includes('\\') ? checkString(JSON.parse(`"${raw}"`) as string) : raw
      if (key) checkKey(open.at(-1), string)
      at = end
    }
  }
}

/** Index of the closing quote. */
const endOfString = (text: string, start: number): number => {
  let end = text.indexOf('"', start + 1)
  while (isEscaped(text, end)) end = text.indexOf('"', end + 1)
  return end
}

/** True if an odd number of backslashes stands before it. */
const isEscaped = (text: string, at: number): boolean => {
  let before = at
  while (text.charCodeAt(before - 1) === 0x5c) before--
  return (at - before) % 2 === 1
}

const checkString = (string: string): string => {
  if (string.includes('\0')) bad('The body holds a NUL character.')
  if (/\p{Surrogate}/u.test(string)) bad('The body holds half of a surrogate pair.')
  return string
}

const isKey = (text: string, end: number): boolean => {
  let at = end + 1
  while (' \t\r\n'.includes(text[at] ?? 'x')) at++
  return text[at] === ':'
}

const checkKey = (keys: Set<string> | undefined, key: string): void => {
  if (key === '__proto__') bad('The body holds a key that is not allowed.')
  if (keys?.has(key) === true) bad('The body holds the same key twice in one object.')
  keys?.add(key)
}

/** JSON with keys in one order (RFC 8785): equal values give equal text, so that fingerprints can be compared. */
export const canonicalJson = (value: unknown): string => {
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (value === null || typeof value !== 'object') return JSON.stringify(value) ?? 'null'
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined)
  return `{${entries.sort(([a], [b]) => a < b ? -1 : 1).map(([key, inner]) => `${JSON.stringify(key)}:${canonicalJson(inner)}`).join(',')}}`
}
