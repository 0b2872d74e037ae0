// Takes secrets out of text, in every form in which a request sends them or an answer repeats them.
import type { Secret } from '../../src/domain/credential/secret.ts'
import { layersOf, type Layer } from './layers.ts'

export const PLACEHOLDER = '[secret]'

/** With `limit`, only so many characters of the result are wanted: less may come back of a text that is much longer. */
export type Scrub = (text: string, limit?: number) => string

type Span = [from: number, to: number]

/** The longest form of a character: a surrogate pair in JSON in JSON. */
const LONGEST_ESCAPE = 14
/** A text longer than so many times the limit is cut before it is searched: an answer must not cost what it likes. */
const AHEAD = 4

/**
 * A function that replaces the secrets: as they are; with any of their characters percent-encoded, JSON-escaped or as
 * HTML entities, be it mixed or in one another; in hex; and in base64 and base64url wherever they begin in the encoded
 * text, as the password of Basic authentication does behind a user name that nobody told us.
 */
export const createScrub = (secrets: readonly Secret[]): Scrub => {
  const forms = [...new Set(secrets)].filter((secret) => secret.reveal() !== '').map(formsOf)
  if (forms.length === 0) return (text) => text
  // No form is shorter than what it stands for: most headers need no second look.
  const shortest = forms.reduce((least, form) => Math.min(least, form.shortest), Infinity)
  const longest = forms.reduce((most, form) => Math.max(most, form.longest), 0) * LONGEST_ESCAPE
  const whole = (text: string): string => text.length < shortest ? text : replaced(text, spansOf(text, forms))
  return (text, limit = Infinity) => {
    if (text.length <= limit * AHEAD) return whole(text)
    // The cut may have gone through a secret, which nobody would find any more.
    const head = whole(text.slice(0, limit * AHEAD))
    return head.slice(0, Math.max(0, head.length - longest))
  }
}

interface Forms {
  texts: string[]
  cores: string[]
  /** Of all of them, in characters. */
  shortest: number
  /** Of the texts. */
  longest: number
  /** A form in which a blank is a plus sign stands for it as well. */
  spaced: boolean
}

/** One value goes to hundreds of consumers; it is forgotten with the secret itself. */
const known = new WeakMap<Secret, Forms>()

const formsOf = (secret: Secret): Forms => {
  const found = known.get(secret)
  if (found !== undefined) return found
  const text = secret.reveal()
  // What looks like an escape within a secret stays as it is where others around it were made: a URL leaves %41 alone.
  const texts = [...new Set([text, ...layersOf(text).map((layer) => layer.text).filter((read) => read.length >= SHORTEST)])]
  const cores = [...new Set(coresOf(text))]
  const made = {
    texts, cores,
    shortest: Math.min(...[...texts, ...cores].map((form) => form.length)),
    longest: Math.max(...texts.map((form) => form.length)),
    spaced: texts.some((form) => form.includes(' '))
  }
  known.set(secret, made)
  return made
}

const spansOf = (whole: string, forms: readonly Forms[]): Span[] => {
  const spans: Span[] = []
  for (const layer of layersOf(whole)) {
    for (const { texts, cores } of forms) {
      for (const secret of texts) findText(layer, secret, spans)
      for (const core of cores) findCore(layer, core, spans)
    }
  }
  const spaced = whole.includes('+') ? forms.filter((form) => form.spaced) : []
  if (spaced.length > 0) {
    for (const layer of layersOf(whole.replaceAll('+', ' '))) for (const { texts } of spaced) for (const secret of texts) findText(layer, secret, spans)
  }
  return spans
}

const findText = ({ text, from, to }: Layer, secret: string, spans: Span[]): void => {
  for (const at of placesOf(text, secret)) spans.push([from(at), to(at + secret.length - 1)])
}

const findCore = ({ text, from, to }: Layer, core: string, spans: Span[]): void => {
  for (const at of placesOf(text, core)) {
    // The digits beside a core hold bits of the secret's ends; so they go too, with the padding.
    const before = /[A-Za-z0-9+/_-]{0,2}$/.exec(text.slice(Math.max(0, at - 2), at))?.[0].length ?? 0
    const after = /^[A-Za-z0-9+/_-]{0,2}={0,2}/.exec(text.slice(at + core.length, at + core.length + 4))?.[0].length ?? 0
    spans.push([from(at - before), to(at + core.length + after - 1)])
  }
}

const NOWHERE: readonly number[] = []

const placesOf = (text: string, part: string): readonly number[] => {
  if (!text.includes(part)) return NOWHERE
  const places: number[] = []
  for (let at = text.indexOf(part); at !== -1; at = text.indexOf(part, at + part.length)) places.push(at)
  return places
}

/** Shorter ones would be found in innocent text. */
const SHORTEST_CORE = 8
const SHORTEST = 6

/** What stands in base64 or hex wherever it holds the secret. */
const coresOf = (text: string): string[] => {
  const bytes = Buffer.from(text, 'utf8')
  const inBase64 = [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
    // Only the digits that hold nothing but bits of the secret are the same behind any other text.
    const [from, to] = [Math.ceil(offset * 8 / 6), Math.floor(whole.length * 8 / 6)]
    const inUrls = whole.toString('base64url').slice(from, to)
    return [inUrls, inUrls.replaceAll('-', '+').replaceAll('_', '/')]
  })
  const hex = bytes.toString('hex')
  return [...inBase64.filter((core) => core.length >= SHORTEST_CORE), ...bytes.length < 4 ? [] : [hex, hex.toUpperCase()]]
}

const replaced = (text: string, spans: Span[]): string => {
  if (spans.length === 0) return text
  let done = ''
  let end = 0
  for (const [from, to] of spans.sort(([a], [b]) => a - b)) {
    if (from >= end) done += text.slice(end, from) + PLACEHOLDER
    end = Math.max(end, to)
  }
  return done + text.slice(end)
}
