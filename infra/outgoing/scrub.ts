// Takes secrets out of text, in every form in which a request sends them or an answer repeats them.
import type { Secret } from '../../src/domain/credential/secret.ts'

export const PLACEHOLDER = '[secret]'

export type Scrub = (text: string) => string

/**
 * A function that replaces the secrets: as they are; with any of their characters percent-encoded, JSON-escaped or as
 * HTML entities, be it mixed; in hex; and in base64 and base64url wherever they begin in the encoded text, as the
 * password of Basic authentication does behind a user name that nobody told us.
 */
export const createScrub = (secrets: readonly Secret[]): Scrub => {
  const forms = [...new Set(secrets.map((secret) => secret.reveal()).filter((text) => text !== ''))]
    .sort((a, b) => b.length - a.length)
    .flatMap((text) => [anyHow(text), ...encoded(text)])
  if (forms.length === 0) return (text) => text
  const pattern = new RegExp(forms.join('|'), 'g')
  return (text) => text.replace(pattern, PLACEHOLDER)
}

/** Shorter ones would be found in innocent text. */
const SHORTEST_CORE = 8

const encoded = (text: string): string[] => {
  const bytes = Buffer.from(text, 'utf8')
  const cores = [0, 1, 2].flatMap((offset) => {
    const whole = Buffer.concat([Buffer.alloc(offset), bytes])
    // Only the digits that hold nothing but bits of the secret are the same behind any other text.
    const [from, to] = [Math.ceil(offset * 8 / 6), Math.floor(whole.length * 8 / 6)]
    return (['base64', 'base64url'] as const).map((form) => whole.toString(form).slice(from, to))
  })
  const around = '(?:[A-Za-z0-9_-]|[+/]|%2[BFbf])'
  return [
    ...[...new Set(cores)].filter((core) => core.length >= SHORTEST_CORE).map((core) => `${around}{0,2}${anyHow(core)}${around}{0,2}(?:=|%3[Dd]){0,2}`),
    ...(bytes.length >= 4 ? [[...bytes.toString('hex')].map((digit) => /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit).join('')] : [])
  ]
}

const entities: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' }
const jsonEscapes: Readonly<Record<string, string>> = { '\n': 'n', '\r': 'r', '\t': 't', '\b': 'b', '\f': 'f' }

/** Each character as it is or in one of its escaped forms; a percent sign may itself have been encoded before. */
const anyHow = (text: string): string => [...text].map((character) => {
  const percent = [...Buffer.from(character, 'utf8')].map((byte) => `%(?:25)*${anyCase(byte, 2)}`).join('')
  const json = [...character].flatMap((whole) => whole.split('')).map((unit) => `\\\\{1,2}u${anyCase(unit.charCodeAt(0), 4)}`).join('')
  const escape = jsonEscapes[character]
  const plain = `\\\\{0,3}${literal(character)}`
  const point = character.codePointAt(0) ?? 0
  return `(?:${[
    /[A-Za-z0-9]/.test(character) ? literal(character) : plain, percent, json, `&#(?:0*${point}|[xX]0*${point.toString(16)});`,
    ...(character === ' ' ? ['\\+'] : []), ...(escape === undefined ? [] : [`\\\\{1,3}${escape}`]),
    ...(entities[character] === undefined ? [] : [`&${entities[character]};`])
  ].join('|')})`
}).join('')

const anyCase = (value: number, digits: number): string =>
  [...value.toString(16).padStart(digits, '0')].map((digit) => /[a-f]/.test(digit) ? `[${digit}${digit.toUpperCase()}]` : digit).join('')

const literal = (character: string): string => character.replace(/[\\^$.*+?()[\]{}|/-]/, '\\$&')
