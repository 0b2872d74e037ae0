// What is shown of a request and its answer: scrubbed, cut to the bounds of the log, and of characters that every store takes.
import { PLACEHOLDER, type Scrub } from './scrub.ts'

/** Headers of a request whose values are secrets, whoever wrote them. */
const MASKED: ReadonlySet<string> = new Set(['authorization', 'proxy-authorization', 'cookie'])
/** Headers of an answer that nobody may ever read here. */
const DROPPED: ReadonlySet<string> = new Set(['set-cookie', 'set-cookie2'])
/** All headers of an exchange together, in characters: a hundred exchanges must fit into one fact. */
const HEADERS_LIMIT = 2_048
const TARGET_LIMIT = 2_048
const BODY_LIMIT = 4_096

/** The headers as they are sent, names in lower case, and as they are shown, with their secrets masked. */
export const requestHeadersOf = (headers: Readonly<Record<string, string>>): { sent: Record<string, string>, shown: Record<string, string> } => {
  const sent = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  const shown = Object.fromEntries(Object.entries(sent).map(([name, value]) => [name, MASKED.has(name) ? masked(value) : value]))
  return { sent, shown }
}

/** The scheme stays: it tells Basic from Bearer. */
const masked = (value: string): string => value.replace(/^(?:([A-Za-z]{1,16})\s+)?[^]*$/, (_, scheme: string | undefined) => scheme === undefined ? PLACEHOLDER : `${scheme} ${PLACEHOLDER}`)

export const headersOf = (headers: Readonly<Record<string, string | string[] | undefined>>, scrub: Scrub): Record<string, string> => {
  const shown: Record<string, string> = {}
  let left = HEADERS_LIMIT
  for (const [name, value] of Object.entries(headers)) {
    if (value === undefined || DROPPED.has(name.toLowerCase())) continue
    const text = cut(storable(scrub(Array.isArray(value) ? value.join(', ') : value)), 512)
    left -= name.length + text.length
    if (left < 0) break
    shown[cut(storable(scrub(name)), 128)] = text
  }
  return shown
}

/** Without fragment, which is never sent; what is no URL is shown as it was given. */
export const targetOf = (url: unknown, text: string, scrub: Scrub): string => {
  const target = url instanceof URL ? `${url.origin}${url.pathname}${url.search}` : text.replace(/\/\/[^/?#]*@/, `//${PLACEHOLDER}@`)
  return cut(storable(scrub(target)), TARGET_LIMIT)
}

export const bodyOf = (body: string, scrub: Scrub, keep: number): string => cut(storable(scrub(body, Math.min(keep, BODY_LIMIT))), Math.min(keep, BODY_LIMIT), body.length)

/** NUL and lone surrogates would stop a read model for good (Postgres takes neither). */
const storable = (text: string): string => SUSPECT.test(text) ? text.replace(/\0|\p{Surrogate}/gu, '\ufffd') : text
/** Half of a pair may be one of a whole pair: what this finds is looked at character by character. */
const SUSPECT = /[\0\ud800-\udfff]/

/** `length`: of the whole, where the text is only its beginning. */
const cut = (text: string, limit: number, length = text.length): string => {
  if (text.length <= limit && length <= limit) return text
  const rest = ` … (${length} characters)`
  return storable(text.slice(0, Math.max(0, limit - rest.length))) + rest
}
