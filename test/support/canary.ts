// Looks for secrets and canary persons in bytes, files and folders, in every form in which text is usually written (I13).
import { closeSync, openSync, readdirSync, readSync } from 'node:fs'
import { join } from 'node:path'

export interface Canary {
  /** What it is, as a finding tells it: never its text. */
  what: string
  text: string | Uint8Array
  /** Paths in which it may stand: a token file holds its token. */
  allowed?: RegExp
}

export interface Finding { what: string, form: string, where: string, offset: number }

/** Shorter ones would be found in what has nothing to do with them. */
const SHORTEST = 8
const CHUNK = 1 << 22
const BLOCK = Buffer.alloc(4096)
/** Size of the filter: small enough to stay near the processor. */
const BITS = 21

/** Every way of writing it that is looked for, by name. Base64 is looked for at each of its three alignments. */
export const formsOf = (text: string | Uint8Array): Map<string, Buffer> => {
  const bytes = Buffer.from(text)
  const forms = new Map<string, Buffer>()
  const add = (name: string, form: Buffer | string): void => {
    const found = Buffer.from(form as Buffer)
    if (found.length >= SHORTEST && ![...forms.values()].some((known) => known.equals(found))) forms.set(name, found)
  }
  add('raw', bytes)
  add('hex', bytes.toString('hex'))
  add('HEX', bytes.toString('hex').toUpperCase())
  for (const shift of [0, 1, 2]) {
    const whole = Buffer.concat([Buffer.alloc(shift), bytes]).toString('base64')
    // Only the digits that no neighbour has a part in.
    const inner = whole.slice([0, 2, 3][shift], Math.floor((bytes.length + shift) * 8 / 6))
    add(`base64+${shift}`, inner)
    add(`base64url+${shift}`, inner.replaceAll('+', '-').replaceAll('/', '_'))
  }
  const each = (write: (byte: number) => string): string => [...bytes].map(write).join('')
  add('percent', each((byte) => `%${byte.toString(16).padStart(2, '0')}`))
  add('PERCENT', each((byte) => `%${byte.toString(16).padStart(2, '0').toUpperCase()}`))
  if (typeof text !== 'string') return forms
  add('uri', encodeURIComponent(text))
  add('form', new URLSearchParams({ x: text }).toString().slice(2))
  add('json', JSON.stringify(text).slice(1, -1))
  const units = [...Array(text.length).keys()].map((index) => text.charCodeAt(index).toString(16).padStart(4, '0'))
  add('json escapes', units.map((unit) => `\\u${unit}`).join(''))
  add('JSON ESCAPES', units.map((unit) => `\\u${unit.toUpperCase()}`).join(''))
  add('utf16le', Buffer.from(text, 'utf16le'))
  add('utf16be', Buffer.from(text, 'utf16le').swap16())
  return forms
}

interface Needle { canary: Canary, form: string, bytes: Buffer, anchor: number }

export interface Scanner {
  /** Looks through bytes that stand at `where`. */
  bytes (bytes: Buffer, where: string): void
  text (text: string, where: string): void
  file (path: string): void
  /** All files below it. One that vanishes meanwhile is passed over. */
  folder (path: string): void
  /** Each kind of finding once a place. */
  findings (): Finding[]
  /** Bytes looked at. */
  read (): number
}

/** Makes a scanner. All needles are looked for in one pass: by four bytes of each, then whole. */
export const createScanner = (canaries: readonly Canary[]): Scanner => {
  const byKey = new Map<number, Needle[]>()
  const seen = new Int32Array(1 << (BITS - 5))
  let longest = 0
  for (const canary of canaries) {
    if (Buffer.from(canary.text).length < SHORTEST) throw new Error(`${canary.what} is too short to be looked for`)
    for (const [form, bytes] of formsOf(canary.text)) {
      // From its middle: beginnings are alike, as those of tokens and escapes are.
      const anchor = bytes.length >> 1 > bytes.length - 4 ? 0 : bytes.length >> 1
      const key = bytes.readInt32LE(anchor)
      const bit = slot(key)
      seen[bit >>> 5] = (seen[bit >>> 5] ?? 0) | 1 << (bit & 31)
      const known = byKey.get(key)
      if (known === undefined) byKey.set(key, [{ canary, form, bytes, anchor }])
      else known.push({ canary, form, bytes, anchor })
      longest = Math.max(longest, bytes.length)
    }
  }
  const found = new Map<string, Finding>()
  let total = 0

  const look = (chunk: Buffer, where: string, base: number): void => {
    const { length } = chunk
    let key = 0
    for (let end = 0; end < length; end++) {
      // Stores are full of empty blocks.
      while ((end & (BLOCK.length - 1)) === 0 && end + BLOCK.length <= length && BLOCK.compare(chunk, end, end + BLOCK.length) === 0) {
        end += BLOCK.length
        key = 0
      }
      if (end >= length) return
      key = (key >>> 8) | ((chunk[end] as number) << 24)
      const bit = Math.imul(key, 0x9E3779B1) >>> (32 - BITS)
      if (((seen[bit >>> 5] as number) & 1 << (bit & 31)) !== 0 && end >= 3) compare(chunk, key, end - 3, where, base)
    }
  }

  const compare = (chunk: Buffer, key: number, at: number, where: string, base: number): void => {
    for (const { canary, form, bytes, anchor } of byKey.get(key) ?? []) {
      const start = at - anchor
      if (start < 0 || canary.allowed?.test(where) === true) continue
      if (chunk.compare(bytes, 0, bytes.length, start, Math.min(start + bytes.length, chunk.length)) !== 0) continue
      const id = `${canary.what} ${form} ${where}`
      if (!found.has(id)) found.set(id, { what: canary.what, form, where, offset: base + start })
    }
  }

  const file = (path: string): void => {
    const handle = tryOpen(path)
    if (handle === undefined) return
    try {
      const buffer = Buffer.allocUnsafe(CHUNK + longest)
      for (let kept = 0, base = 0; ;) {
        const read = readSync(handle, buffer, kept, CHUNK, null)
        if (read === 0) return
        total += read
        const filled = kept + read
        look(buffer.subarray(0, filled), path, base)
        // What may be the beginning of one is looked at again with what follows.
        const next = Math.min(filled, Math.max(0, longest - 1))
        buffer.copy(buffer, 0, filled - next, filled)
        base += filled - next
        kept = next
      }
    } finally {
      closeSync(handle)
    }
  }

  const scanner: Scanner = {
    bytes: (bytes, where) => { total += bytes.length; look(bytes, where, 0) },
    text: (text, where) => { scanner.bytes(Buffer.from(text), where) },
    file,
    folder: (path) => {
      for (const entry of tryList(path)) {
        if (entry.isDirectory()) scanner.folder(join(path, entry.name))
        else if (entry.isFile()) file(join(path, entry.name))
      }
    },
    findings: () => [...found.values()],
    read: () => total
  }
  return scanner
}

/** Knuth's multiplicative hash. */
const slot = (key: number): number => Math.imul(key, 0x9E3779B1) >>> (32 - BITS)

const gone = (error: unknown): boolean => ['ENOENT', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')

const tryOpen = (path: string): number | undefined => {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if (gone(error)) return undefined
    throw error
  }
}

const tryList = (path: string) => {
  try {
    return readdirSync(path, { withFileTypes: true })
  } catch (error) {
    if (gone(error)) return []
    throw error
  }
}

/** Findings as lines for a person. */
export const inWords = (findings: readonly Finding[]): string =>
  findings.map(({ what, form, where, offset }) => `${what}, as ${form}, in ${where} at byte ${offset}`).join('\n')
