// One request over undici's dispatcher, once: no redirects, no second try, a limit for all of it and one for its answer.
import type { Dispatcher } from 'undici'
import type { Lease } from './connections.ts'
import { OutgoingFailure, failureOf, type Failure } from './failures.ts'

/** Longest body of an answer, in bytes. */
const ANSWER_LIMIT = 64 * 1024

export interface Sent {
  /** False: certainly nothing of the request left. */
  sent: boolean
  answer?: { status: number, headers: Readonly<Record<string, string | string[] | undefined>>, body?: string }
  failure?: Failure
}

/**
 * Resolves at the latest after `timeoutMs`, whatever became of the request by then; what was not sent until then never is.
 * Written against `dispatch` itself: it alone tells that the request is about to be written, and follows and repeats nothing.
 */
export const send = (
  { client, free }: Lease, { url, method, headers, body, timeoutMs }: { url: URL, method: string, headers: Record<string, string>, body: string | undefined, timeoutMs: number }
): Promise<Sent> => new Promise((resolve) => {
  let sent = false
  let over = false
  let controller: Dispatcher.DispatchController | undefined
  let answer: Sent['answer']
  const chunks: Buffer[] = []
  let size = 0

  const end = (failure: Failure | undefined): void => {
    if (over) return
    over = true
    clearTimeout(timer)
    resolve({ sent, ...(answer && { answer }), ...(failure !== undefined && { failure }) })
  }
  const giveUp = (failure: Failure): void => {
    end(failure)
    controller?.abort(new OutgoingFailure(failure))
  }
  const timer = setTimeout(() => { giveUp('timeout') }, timeoutMs)

  const handler: Dispatcher.DispatchHandler = {
    onRequestStart: (given) => {
      controller = given
      // Called a second time, it would be a second try.
      if (over || sent) given.abort(new OutgoingFailure(sent ? 'connection_lost' : 'timeout'))
      else sent = true
    },
    onResponseStart: (_, status, given) => {
      if (status < 200) return
      answer = { status, headers: given }
      if (status < 400 && status >= 300 && status !== 304) giveUp('redirect_refused')
      else if (given['content-encoding'] !== undefined && given['content-encoding'] !== 'identity') giveUp('answer_malformed')
      else if (Number(given['content-length'] ?? 0) > ANSWER_LIMIT) giveUp('too_large')
    },
    onResponseData: (_, chunk) => {
      size += chunk.length
      if (size > ANSWER_LIMIT) giveUp('too_large')
      else chunks.push(chunk)
    },
    onResponseEnd: () => {
      free()
      if (answer === undefined) return end('answer_malformed')
      if (!over) answer = { ...answer, body: Buffer.concat(chunks).toString('utf8') }
      end(undefined)
    },
    onResponseError: (_, error) => {
      free()
      end(failureOf(error, sent))
    }
  }
  try {
    client.dispatch({ origin: url.origin, path: `${url.pathname}${url.search}`, method, headers, body: body ?? null, headersTimeout: 0, bodyTimeout: 0 }, handler)
  } catch (error) {
    free()
    end(failureOf(error, sent))
  }
})
