// Turns whatever was thrown into one RFC 9457 body: the one table from errors to statuses.
import { STATUS_CODES } from 'node:http'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { codes, Refusal, type Code, type ProblemFields } from '../domain/codes.ts'
import { LogOutcomeUnknown, LogUnavailable, UnreadableEvent, WrongExpectedRevision } from '../log-errors.ts'
import { traceId } from './trace.ts'

export const PROBLEM_TYPE = 'application/problem+json'

/** RFC 9457, with the stable `code`, the trace id, and what the code's fields add. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: Code
  trace_id: string
  [field: string]: unknown
}

/** Seconds after which asking again makes sense, where the error itself does not know. */
const RETRY_AFTER: Partial<Record<Code, number>> = {
  audit_unavailable: 1, outcome_unknown: 1, projection_behind: 1, read_models_unavailable: 2, accounts_unavailable: 2, redis_unavailable: 2, tickets_unavailable: 2, overloaded: 1
}

/** Fastify's own errors, by their code. */
const FRAMEWORK: Readonly<Record<string, [Code, string]>> = {
  FST_ERR_CTP_INVALID_MEDIA_TYPE: ['unsupported_media_type', 'Send the body as application/json in UTF-8.'],
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: ['invalid_request', 'The body is not as long as Content-Length says.'],
  FST_ERR_BAD_URL: ['invalid_request', 'The path is not a valid URL path.'],
  FST_ERR_ASYNC_CONSTRAINT: ['invalid_request', 'The request cannot be routed.'],
  FST_ERR_MAX_LIMIT: ['invalid_request', 'A part of the path is too long.']
}

/** The Refusal that an error means to the caller. Unforeseen errors become `internal_error` and say nothing of themselves. */
const refusalOf = (error: unknown, { idempotencyKey, routeOptions, server }: FastifyRequest): Refusal => {
  if (error instanceof Refusal) return error
  if (error instanceof WrongExpectedRevision) return new Refusal('conflict', 'Others changed the same subject. Nothing was recorded; send the request again.', { stream: error.stream })
  if (error instanceof LogUnavailable) return new Refusal('audit_unavailable', 'The event store was not reached, so nothing was recorded and nothing was done. Send the request again later.')
  if (error instanceof LogOutcomeUnknown) {
    return new Refusal('outcome_unknown', 'The event store did not confirm. Send the same request again with this Idempotency-Key to learn the outcome.',
      idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey })
  }
  if (error instanceof UnreadableEvent) return new Refusal('internal_error', 'A recorded event cannot be read. An operator has to look at the log of the service.')
  if (server.door.readModelsAway(error)) return new Refusal('read_models_unavailable', 'The read models cannot be reached. Send the request again later.')
  return ofFramework(error as FastifyError, routeOptions.bodyLimit) ?? new Refusal('internal_error', 'Something went wrong that was not foreseen. The trace id helps to find it.')
}

const ofFramework = (error: FastifyError, bodyLimit: number): Refusal | undefined => {
  if (typeof error !== 'object' || error === null) return undefined
  if (error.validation !== undefined) {
    const where = error.validationContext ?? 'body'
    const errors = plain(error.validation).slice(0, 20).map(({ instancePath, message, params }) => ({
      path: `/${where}${instancePath}`.slice(0, 256), message: `${message ?? 'is not valid'}${named(params)}`.slice(0, 256)
    }))
    return new Refusal('invalid_request', `The ${parts[where] ?? where} does not have the form that this route takes; see errors.`, { errors })
  }
  if (error.code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new Refusal('payload_too_large', `The body is larger than this route takes: at most ${bodyLimit / 1024} KiB.`)
  const known = FRAMEWORK[error.code]
  if (known !== undefined) return new Refusal(...known)
  const { statusCode } = error
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500) return new Refusal('invalid_request', STATUS_CODES[statusCode] ?? 'The request is not well formed.')
  return undefined
}

/** Parts of a request as people call them. */
const parts: Readonly<Record<string, string>> = { params: 'path', querystring: 'query', headers: 'header' }

type Mistake = NonNullable<FastifyError['validation']>[number]

/** One of some words comes as a mistake for each word and one for all of them: said once, with the words. */
const plain = (mistakes: readonly Mistake[]): Mistake[] => {
  const words = (path: string): string => mistakes.filter(({ keyword, instancePath }) => keyword === 'const' && instancePath === path).map(({ params }) => String(params['allowedValue'])).join(', ')
  return mistakes.filter(({ keyword, instancePath }) => keyword !== 'const' || !mistakes.some((other) => other.keyword === 'anyOf' && other.instancePath === instancePath))
    .map((mistake) => mistake.keyword === 'anyOf' && words(mistake.instancePath) !== '' ? { ...mistake, message: `must be one of: ${words(mistake.instancePath)}` } : mistake)
}

/** The unknown property's name helps; it is the caller's own word. */
const named = (params: Record<string, unknown>): string =>
  typeof params['additionalProperty'] === 'string' ? `: ${params['additionalProperty']}` : ''

/** The body of a refusal. `type` is a name, not a place: the codes are explained in docs/reference. */
export const problemOf = (refusal: Refusal, trace: string): Problem => {
  const { status, title } = codes[refusal.code]
  return { type: `urn:chancery:problem:${refusal.code}`, title, status, detail: refusal.message, code: refusal.code, trace_id: trace, ...safe(refusal.fields) }
}

/** Positions are BigInt inside and decimal strings outside. */
const safe = (fields: ProblemFields): ProblemFields =>
  Object.fromEntries(Object.entries(fields).map(([key, value]) => [key, typeof value === 'bigint' ? String(value) : value]))

/** Answers with the problem that an error means. */
export const sendProblem = (error: unknown, request: FastifyRequest, reply: FastifyReply): void => {
  const refusal = refusalOf(error, request)
  const problem = problemOf(refusal, traceId(request))
  if (problem.status >= 500 && !(error instanceof Refusal)) request.log.error({ err: error, code: refusal.code, trace_id: problem.trace_id }, 'request failed')
  const wait = refusal.fields['retry_after'] ?? RETRY_AFTER[refusal.code]
  if (typeof wait === 'number' && !reply.hasHeader('retry-after')) void reply.header('retry-after', Math.max(1, Math.ceil(wait)))
  void reply.code(problem.status).type(PROBLEM_TYPE).serializer(JSON.stringify).send(problem)
}
