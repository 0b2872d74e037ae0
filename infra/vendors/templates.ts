// Requests to HTTP vendors as a manifest describes them: placeholders filled, each escaped for the place where it stands.
import type { HttpCall } from '../../src/domain/credential/manifest.ts'

/** What may stand between double braces. */
export const placeholders = ['value', 'connection', 'label', 'token_id'] as const
export type Placeholder = (typeof placeholders)[number]
export type Filling = Readonly<Partial<Record<Placeholder, string | undefined>>>

export interface FilledCall { method: string, url: string, headers: Record<string, string>, body?: string }

/** A placeholder that has nothing to stand in it (`token_id_missing`), or that the place cannot take. */
export interface NotFilled { failure: `${Placeholder}_missing` | 'template_invalid' }

const braces = /\{\{\s*([^{}]*?)\s*\}\}/g

/** Names that stand in the text, known or not. */
export const namesIn = (text: string): string[] => [...text.matchAll(braces)].map(([, name = '']) => name)

const contentType = ({ headers = {} }: HttpCall): string | undefined =>
  Object.entries(headers).find(([name]) => name.toLowerCase() === 'content-type')?.[1].split(';')[0]?.trim().toLowerCase()

/** Whether a body is JSON, a form, or something else, in which nothing is escaped; without a content type it is JSON. */
export const bodyKind = (call: HttpCall): 'json' | 'form' | 'text' => {
  const type = contentType(call) ?? 'application/json'
  if (type === 'application/json' || type.endsWith('+json')) return 'json'
  return type === 'application/x-www-form-urlencoded' ? 'form' : 'text'
}

const escapes = {
  json: (text: string) => JSON.stringify(text).slice(1, -1),
  form: (text: string) => encodeURIComponent(text),
  text: (text: string) => text
}

/** Fills one request. What stands in a value is never taken for a placeholder. */
export const fill = (call: HttpCall, filling: Filling): FilledCall | NotFilled => {
  let missing: NotFilled['failure'] | undefined
  const put = (text: string, escape: (value: string) => string): string => text.replace(braces, (_, name: string) => {
    const value = filling[name as Placeholder]
    if (value === undefined) missing ??= placeholders.includes(name as Placeholder) ? `${name as Placeholder}_missing` : 'template_invalid'
    return escape(value ?? '')
  })
  const url = put(call.url, inUrl)
  const headers = Object.fromEntries(Object.entries(call.headers ?? {}).map(([name, value]) => [name, put(value, escapes.text)]))
  const body = call.body === undefined ? undefined : put(call.body, escapes[bodyKind(call)])
  if (missing !== undefined) return { failure: missing }
  if (pathOf(url)?.length !== pathOf(call.url.replace(braces, 'x'))?.length) return { failure: 'template_invalid' }
  return {
    method: call.method, url, headers: { ...(body !== undefined && contentType(call) === undefined && { 'content-type': 'application/json' }), ...headers },
    ...(body !== undefined && { body })
  }
}

/** Encoded throughout, so that nothing ends a path segment or a parameter. */
const inUrl = (text: string): string => encodeURIComponent(text).replace(/[!'()*]/g, (character) => `%${character.charCodeAt(0).toString(16).toUpperCase()}`)

/** Dots alone climb up a path, however they are encoded: the filled URL would be that of another resource. */
const pathOf = (url: string): string[] | undefined => {
  try {
    return new URL(url).pathname.split('/')
  } catch {
    return undefined
  }
}
