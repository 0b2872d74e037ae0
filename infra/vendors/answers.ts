// Reads what HTTP vendors answer: JSON pointers, tokens in lists, and what of a yes may be shown.
import type { HttpVendor } from '../../src/domain/credential/manifest.ts'
import type { Static } from '@sinclair/typebox'
import type { Instant } from '../../src/domain/event.ts'
import { jsonIn } from '../json.ts'
import { PLACEHOLDER } from '../outgoing/scrub.ts'
import type { ListedToken } from '../../src/rotation-ports.ts'

type HttpSettings = Static<ReturnType<typeof HttpVendor>>

/** What an RFC 6901 pointer points to; undefined if there is nothing. */
export const at = (document: unknown, pointer: string): unknown => {
  let here = document
  for (const step of pointer.split('/').slice(1).map((step) => step.replaceAll('~1', '/').replaceAll('~0', '~'))) {
    if (typeof here !== 'object' || here === null || !Object.hasOwn(here, step) || (Array.isArray(here) && !/^(0|[1-9]\d*)$/.test(step))) return undefined
    here = (here as Record<string, unknown>)[step]
  }
  return here
}

/** A text, or a number as text: some vendors number their tokens. */
export const wordAt = (document: unknown, pointer: string): string | undefined => {
  const found = at(document, pointer)
  return typeof found === 'string' && found !== '' ? found : typeof found === 'number' && Number.isSafeInteger(found) ? String(found) : undefined
}

export const instantAt = (document: unknown, pointer: string | undefined): Instant | undefined => {
  const found = pointer === undefined ? undefined : at(document, pointer)
  const time = typeof found === 'string' ? Date.parse(found) : NaN
  return Number.isNaN(time) ? undefined : new Date(time).toISOString()
}

/** What a list says; undefined if it cannot be read to the end: a token that is overlooked would be left behind. */
export const tokensIn = (body: string | undefined, { items, tokenId, label, lastUsedAt }: HttpSettings['list']): ListedToken[] | undefined => {
  const found = at(jsonIn(body), items)
  if (!Array.isArray(found)) return undefined
  const tokens = found.map((item: unknown): ListedToken | undefined => {
    const id = wordAt(item, tokenId)
    // A list that shows labels shows that this one has none.
    const named = label === undefined ? undefined : wordAt(item, label) ?? ''
    const used = instantAt(item, lastUsedAt)
    return id === undefined ? undefined : { tokenId: id, ...(named !== undefined && { label: named }), ...(used !== undefined && { lastUsedAt: used }) }
  })
  return tokens.every((token) => token !== undefined) ? tokens : undefined
}

/** Names under which vendors return secrets of their own accord: refresh tokens, other people's tokens, client secrets. */
const telling = /token|secret|passw|passphrase|credential|private|(^|[_-])key$|api_?key|authorization/i
const harmless = /(^|[_-])(id|ids|type|name|count|at|in)$|Id$|Type$|At$|In$/

/** The JSON of a yes with everything masked that stands under such a name; undefined if it is no JSON. */
export const shownJson = (body: string): string | undefined => {
  const document = jsonIn(body)
  if (document === undefined) return undefined
  const mask = (value: unknown, hidden: boolean): unknown => {
    if (Array.isArray(value)) return value.map((item) => mask(item, hidden))
    if (typeof value !== 'object' || value === null) return hidden && typeof value === 'string' ? PLACEHOLDER : value
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, mask(inner, telling.test(name) || hidden ? !harmless.test(name) || typeof inner === 'object' : false)]))
  }
  return JSON.stringify(mask(document, false))
}
