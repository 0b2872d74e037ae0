// How a call to the event store fails, sorted by the one question that matters: may it have had an effect?
import { status } from '@grpc/grpc-js'
import { LogUnavailable } from '../../src/log-errors.ts'

/** No connection came about: whatever was to be sent was not. */
export class NotReached extends Error {
  override readonly name = 'NotReached'
}

/** A connected server gave no sign of life, ended the call, or did not answer in time. */
export class NoAnswer extends Error {
  override readonly name = 'NoAnswer'
}

/** Codes of gRPC that say "try again" (1, 4, 8, 10 and 14) or that a connection broke in the middle (13). */
const passing = new Set<number>([status.CANCELLED, status.DEADLINE_EXCEEDED, status.ABORTED, status.INTERNAL, status.UNAVAILABLE, status.RESOURCE_EXHAUSTED])

/** Codes with which a server turns a call away before it looks at what it carries. */
const turnedAway = new Set<number>([status.UNAUTHENTICATED, status.PERMISSION_DENIED, status.UNIMPLEMENTED])

export const grpcCode = (error: unknown): number | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'number' ? error.code : undefined

export const isPassing = (error: unknown): boolean => {
  if (error instanceof NotReached || error instanceof NoAnswer) return true
  const code = grpcCode(error)
  return code !== undefined && passing.has(code)
}

export const isTurnedAway = (error: unknown): boolean => turnedAway.has(grpcCode(error) ?? -1)

/** What a reader hears: a passing failure is LogUnavailable, anything else stays what it is. */
export const asReadFailure = (error: unknown): unknown =>
  isPassing(error) || isTurnedAway(error)
    ? new LogUnavailable(`the event store did not answer: ${(error as Error).message}`, { cause: error })
    : error
