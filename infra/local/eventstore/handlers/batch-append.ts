// BatchAppend: many appends on one call, each answered by its correlation id, in the order in which they were complete.
import type { Call, CallHandler } from '../grpc/call.ts'
import type { Committer } from '../log/committer.ts'
import type { Expectation } from '../log/decide.ts'
import { type BatchError, BatchErrors, type BatchTarget, batchAppended, batchFailed } from '../protocol/append-answer.ts'
import { type BatchRequest, MAX_APPEND_BYTES, isProblem, readBatchRequest } from '../protocol/append-request.ts'
import { malformed } from '../protocol/fields.ts'
import { structuredUuid } from '../protocol/uuid.ts'
import type { NewEvent } from '../storage/record.ts'

interface Batch {
  readonly target: BatchTarget
  readonly stream: string
  readonly expected: Expectation
  readonly deadline: number | undefined
  readonly events: NewEvent[]
  size: number
  /** Bytes of its messages, types and metadata included. */
  kept: number
  timer: NodeJS.Timeout | undefined
}

/** A batch that stays incomplete is given up after two seconds, as in the real server, whatever its deadline. */
const INCOMPLETE_MS = 2_000
/** Bytes of incomplete batches on one call; more is refused. */
const INCOMPLETE_BYTES = 16 * 1024 * 1024

class Refused extends Error {
  readonly reason: BatchError
  constructor (reason: BatchError) {
    super(reason.name)
    this.reason = reason
  }
}

const refuse = (message: string): never => { throw new Refused(BatchErrors.badRequest(message)) }

const open = ({ correlation, options }: BatchRequest): Batch => {
  const { stream, expected, deadline } = options ?? { stream: undefined, expected: undefined, deadline: undefined }
  if (stream === undefined || stream === '') return refuse('a stream name is required')
  if (!expected) return refuse('an expected revision is required')
  return { target: { correlation, stream }, stream, expected, deadline, events: [], size: 0, kept: 0, timer: undefined }
}

export const batchAppend = (committer: Committer) => (call: Call): CallHandler => {
  const incomplete = new Map<string, Batch>()
  let held = 0
  let inFlight = 0

  const hold = (bytes: number): void => {
    held += bytes
    call.keep(held)
  }

  const forget = (id: string, batch: Batch): void => {
    if (batch.timer) clearTimeout(batch.timer)
    if (incomplete.delete(id)) hold(-batch.kept)
  }

  const take = (batch: Batch, { events, final }: BatchRequest): void => {
    for (const event of events) {
      if (isProblem(event)) return refuse(event.problem)
      batch.size += event.data.length
      if (batch.size > MAX_APPEND_BYTES) throw new Refused(BatchErrors.tooLarge())
      // a batch that is complete is written in this turn or the next; an incomplete one must not pin the network's buffers
      batch.events.push(final ? event : { ...event, data: Buffer.from(event.data), metadata: Buffer.from(event.metadata) })
    }
  }

  const wait = (id: string, batch: Batch, bytes: number): void => {
    incomplete.set(id, batch)
    batch.kept += bytes
    hold(bytes)
    if (held > INCOMPLETE_BYTES) throw new Refused(BatchErrors.tooLarge())
    batch.timer ??= setTimeout(() => {
      forget(id, batch)
      call.send(batchFailed({ correlation: structuredUuid(id), stream: batch.stream }, BatchErrors.timeout()))
    }, Math.max(0, Math.min(INCOMPLETE_MS, (batch.deadline ?? Infinity) - Date.now())))
  }

  const commit = ({ target, stream, expected, deadline, events }: Batch): void => {
    inFlight++
    committer.add({
      ...deadline === undefined ? {} : { deadline },
      run: (log) => log.append(stream, expected, events),
      done: (result) => {
        inFlight--
        switch (result.kind) {
          case 'done': call.send(batchAppended(target, result.revision, result.position)); break
          case 'wrong-version': call.send(batchFailed(target, BatchErrors.wrongVersion(result.current, expected))); break
          case 'deleted': call.send(batchFailed(target, BatchErrors.deleted(stream))); break
          case 'late': call.send(batchFailed(target, BatchErrors.timeout())); break
          case 'failed': call.send(batchFailed(target, BatchErrors.notWritten(result.error)))
        }
        if (inFlight === 0 && call.congested) call.pause()
      }
    })
  }

  // whoever does not read the answers is not read either
  call.drained = () => { call.resume() }

  return {
    message: (bytes) => {
      const request = readBatchRequest(bytes, Date.now())
      const { correlation, correlationId, options } = request
      if (!correlation && !options) throw malformed('a request has neither correlation id nor options')
      const known = correlationId === undefined ? undefined : incomplete.get(correlationId)
      if (!options && !known) return // the rest of a batch that was refused
      try {
        if (correlationId === undefined) return refuse('the correlation id is missing, or no UUID')
        const batch = options ? open(request) : known
        if (!batch) return
        take(batch, request)
        if (request.final) {
          forget(correlationId, batch)
          commit(batch)
        } else wait(correlationId, batch, bytes.length)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        const failed = correlationId === undefined ? undefined : incomplete.get(correlationId)
        if (correlationId !== undefined && failed) forget(correlationId, failed)
        call.send(batchFailed({ correlation, stream: options?.stream ?? known?.stream }, error.reason))
      }
    },
    // the real server leaves its half open as long as the caller does not cancel
    end: () => {},
    closed: () => { for (const { timer } of incomplete.values()) clearTimeout(timer) }
  }
}
