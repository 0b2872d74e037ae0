// The trace id that a problem body names: the caller's (W3C traceparent) or the request's own.
import type { FastifyRequest } from 'fastify'

/** Trace id of a well-formed `traceparent`, else undefined. */
export const parseTraceparent = (header: string): string | undefined => {
  const trace = /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(header)?.[1]
  return trace === undefined || /^0+$/.test(trace) ? undefined : trace
}

/** 32 hex digits. */
export const traceId = (request: FastifyRequest): string => {
  const header = request.headers['traceparent']
  return (typeof header === 'string' ? parseTraceparent(header) : undefined) ?? request.id.replaceAll('-', '')
}
