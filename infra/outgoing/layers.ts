// Text with one layer of escapes taken off, which still knows where each of its characters came from.

export interface Layer {
  text: string
  /** Where the character at this index begins in the first text. */
  from: (index: number) => number
  /** Where it ends there. */
  to: (index: number) => number
}

const kinds = {
  percent: '(?:%[0-9A-Fa-f]{2})+',
  /** JSON and JavaScript. */
  backslash: '\\\\u[0-9A-Fa-f]{4}|\\\\x[0-9A-Fa-f]{2}|\\\\[^ux]',
  /** HTML. */
  entity: '&#\\d{1,7};|&#[xX][0-9A-Fa-f]{1,6};|&(?:amp|lt|gt|quot|apos);'
}
type Kind = keyof typeof kinds
const escapesOf = (wanted: readonly Kind[]): RegExp => new RegExp(wanted.map((kind) => kinds[kind]).join('|'), 'g')
const all = escapesOf(['percent', 'backslash', 'entity'])
const singly = (['percent', 'backslash', 'entity'] as const).map((kind) => escapesOf([kind]))
const named: Readonly<Record<string, string>> = { '&amp;': '&', '&lt;': '<', '&gt;': '>', '&quot;': '"', '&apos;': "'", '\\n': '\n', '\\r': '\r', '\\t': '\t', '\\b': '\b', '\\f': '\f' }

/** One of these stands in front of each of them. */
const ESCAPES = /[%\\&]/

/** In one another so often: JSON in JSON in a query is the most that anybody was seen doing. */
const DEPTH = 4

/**
 * The text as it is, with all its escapes read up to four times, and with one kind of them read and then one kind again:
 * what looks like an escape of another kind may be a part of the text.
 */
export const layersOf = (text: string): Layer[] => {
  const first: Layer = { text, from: (index) => index, to: (index) => index + 1 }
  const layers = [first]
  if (!ESCAPES.test(text)) return layers
  for (let depth = 0, layer = decoded(first, all); layer !== undefined && depth < DEPTH; depth++, layer = decoded(layer, all)) layers.push(layer)
  if (layers.length === 1) return layers
  for (const once of singly.flatMap((kind) => decoded(first, kind) ?? [])) layers.push(once, ...singly.flatMap((kind) => decoded(once, kind) ?? []))
  return layers
}

/** The same with its escapes read once; undefined where there are none. */
const decoded = (layer: Layer, escapes: RegExp): Layer | undefined => {
  const pieces: string[] = []
  const starts: number[] = []
  const ends: number[] = []
  const put = (text: string, places: ReadonlyArray<readonly [number, number]>): void => {
    pieces.push(text)
    for (const [from, to] of places) {
      starts.push(layer.from(from))
      ends.push(layer.to(to - 1))
    }
  }
  const plain = (from: number, to: number): void => { put(layer.text.slice(from, to), Array.from({ length: to - from }, (_, at) => [from + at, from + at + 1])) }
  let done = 0
  for (const match of layer.text.matchAll(escapes)) {
    const [escape] = match
    const end = match.index + escape.length
    plain(done, match.index)
    const text = meaning(escape)
    put(text, escape.startsWith('%') ? percentPlaces(text, match.index, end) : text.split('').map(() => [match.index, end] as const))
    done = end
  }
  if (done === 0) return undefined
  plain(done, layer.text.length)
  return { text: pieces.join(''), from: (index) => starts[index] ?? 0, to: (index) => ends[index] ?? 0 }
}

const meaning = (escape: string): string => {
  if (escape.startsWith('%')) return Buffer.from(escape.replaceAll('%', ''), 'hex').toString('utf8')
  const point = /^(?:\\[ux]|&#[xX])([0-9A-Fa-f]+)/.exec(escape)?.[1]
  if (point !== undefined) return characterOf(parseInt(point, 16))
  const decimal = /^&#(\d+)/.exec(escape)?.[1]
  return decimal === undefined ? named[escape] ?? escape.slice(1) : characterOf(Number(decimal))
}

const characterOf = (point: number): string => point <= 0x10ffff ? String.fromCodePoint(point) : '\ufffd'

/** Each character came from as many percent codes as it has bytes; where the bytes were no text, from all of them. */
const percentPlaces = (text: string, from: number, to: number): Array<readonly [number, number]> => {
  if (text.includes('\ufffd')) return text.split('').map(() => [from, to])
  let at = from
  return [...text].flatMap((character) => {
    const begin = at
    at += 3 * Buffer.byteLength(character)
    return character.split('').map(() => [begin, at] as const)
  })
}
