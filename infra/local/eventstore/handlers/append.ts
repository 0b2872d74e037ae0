// Append: one call, one stream, all its events or none.
import type { Call, CallHandler } from '../grpc/call.ts'
import type { Committer } from '../log/committer.ts'
import type { Expectation } from '../log/decide.ts'
import { appended, notWritten, propertyMissing, streamDeleted, tooLarge, wrongVersion } from '../protocol/append-answer.ts'
import { MAX_APPEND_BYTES, isProblem, readAppendRequest } from '../protocol/append-request.ts'
import { malformed, requireOptions } from '../protocol/fields.ts'
import type { NewEvent } from '../storage/record.ts'
import { Code, GrpcError } from '../grpc/status.ts'

/** Types and metadata do not count as data, but they are held, too. */
const MAX_KEPT_BYTES = 16 * 1024 * 1024

export const append = (committer: Committer) => (call: Call): CallHandler => {
  let target: { stream: string, expected: Expectation } | undefined
  const events: NewEvent[] = []
  let size = 0
  let kept = 0

  const commit = ({ stream, expected }: { stream: string, expected: Expectation }): void => {
    committer.add({
      run: (log) => log.append(stream, expected, events),
      done: (result) => {
        switch (result.kind) {
          case 'done': call.send(appended(result.revision, result.position)); call.end(); return
          case 'wrong-version': call.send(wrongVersion(result.current, expected)); call.end(); return
          case 'deleted': call.fail(streamDeleted(stream)); return
          case 'late': call.fail(new GrpcError(Code.DEADLINE_EXCEEDED, 'the deadline is over')); return
          case 'failed': call.fail(notWritten(result.error))
        }
      }
    })
  }

  return {
    message: (bytes) => {
      const request = readAppendRequest(bytes)
      if (request === 'empty') throw malformed('a message has neither options nor an event')
      if ('options' in request) {
        if (target) throw malformed('options come once, and first')
        target = requireOptions(request.options)
        return
      }
      const { event } = request
      if (!target) throw malformed('options come first')
      if (isProblem(event)) throw event.property ? propertyMissing(event.problem) : malformed(event.problem)
      size += event.data.length
      kept += bytes.length
      if (size > MAX_APPEND_BYTES || kept > MAX_KEPT_BYTES) throw tooLarge()
      call.keep(kept)
      // the message's bytes are only lent until we return
      events.push({ ...event, data: Buffer.from(event.data), metadata: Buffer.from(event.metadata) })
    },
    end: () => {
      if (!target) throw malformed('options are missing')
      call.keep(0)
      commit(target)
    }
  }
}
