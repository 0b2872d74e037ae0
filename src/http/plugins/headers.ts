// Looks at the request line and header as they came over the wire: NUL, doubled headers and too many are refused.
import fp from 'fastify-plugin'
import { refuse } from '../../domain/codes.ts'

/** Node silently drops what is beyond its own limit, so that one is set higher and this one counted. */
export const MAX_HEADERS = 64
/** Headers of which Node keeps the first or joins them, so that two readers could see two different requests. */
const SINGLE = new Set(['host', 'authorization', 'content-type', 'content-length', 'idempotency-key', 'if-match', 'chancery-position', 'traceparent'])

export default fp(async (app) => {
  app.addHook('onRequest', async (request) => {
    if (request.url.includes('%') && !wellEncoded(request.url)) refuse('invalid_request', 'The path or the query holds a NUL character or is not UTF-8.')
    const raw = request.raw.rawHeaders ?? []
    if (raw.length > 2 * MAX_HEADERS) refuse('header_fields_too_large', `The request has more than ${MAX_HEADERS} headers.`)
    const seen = new Set<string>()
    for (let at = 0; at < raw.length; at += 2) {
      const name = (raw[at] ?? '').toLowerCase()
      if (SINGLE.has(name) && seen.has(name)) refuse('invalid_request', `The header ${name} stands twice in the request.`)
      seen.add(name)
    }
  })
})

/** Percent-encoding that is no UTF-8 would be read as replacement characters further on. */
const wellEncoded = (url: string): boolean => {
  try {
    return !decodeURIComponent(url).includes('\0')
  } catch {
    return false
  }
}
