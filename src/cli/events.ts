// Follows a rotation by its server-sent events, over as many connections as it takes: one that breaks goes on where it broke.
import { setTimeout as pause } from 'node:timers/promises'
import { createParser, type EventSourceMessage } from 'eventsource-parser'
import type { Client } from './client.ts'
import { Failure } from './failures.ts'
import { hasEnded, rotationPath, type JobView } from './rotation-api.ts'

/** One fact of a job, and how the job stood after it; or, without id and fact, how it stands as of now: time alone has changed it. */
export type JobEvent = { at: string, view: JobView } & ({ id: string, fact: string, actor: { type: string, id: string }, operator_id: string | null } | { id?: undefined, fact?: undefined })

export interface FollowOptions {
  signal: AbortSignal
  /** Told is what comes after this revision, as an answer about the job has it; absent: all, from the first fact on. */
  after?: string
  /** Told when the connection is lost, and with undefined when there is one again. */
  onConnection?: (trouble: string | undefined) => void
  /** Milliseconds of silence after which a connection counts as lost; the service sends a comment more often. */
  silence?: number
  /** Milliseconds until the first new connection. */
  firstPause?: number
}

/** Milliseconds of silence: three of the service's heartbeats. */
const SILENCE = 45_000
/** Milliseconds until the first new connection, doubled for each that fails, and the most. */
const FIRST_PAUSE = 250
const LONGEST_PAUSE = 5_000

/**
 * The events of one job, each once, in their order, until it is done or aborted, or `signal` ends it.
 * @throws Failure for what waiting does not mend: no such rotation, no right to see it.
 */
export async function * followJob (client: Client, { credential, rotationId }: { credential: string, rotationId: string }, options: FollowOptions): AsyncGenerator<JobEvent, void, undefined> {
  const path = rotationPath(credential, rotationId, 'events')
  const { after, firstPause = FIRST_PAUSE } = options
  let lastEventId = after
  let wait = firstPause
  while (!options.signal.aborted) {
    try {
      for await (const event of connection(client, path, lastEventId, options)) {
        if (event === 'no more') return
        wait = firstPause
        lastEventId = event.id ?? lastEventId
        yield event
        if (hasEnded(event.view)) return
      }
    } catch (error) {
      if (options.signal.aborted) return
      if (error instanceof Failure && error.exit !== 'unavailable') throw error
    }
    options.onConnection?.('The connection to the service is lost; trying again. What was begun is in its log, and goes on when the service does.')
    await pause(wait, undefined, { signal: options.signal }).catch(() => {})
    wait = Math.min(LONGEST_PAUSE, wait * 2)
  }
}

/** Events of one connection; it ends when the service ends it, and throws when it breaks or falls silent. */
async function * connection (client: Client, path: string, lastEventId: string | undefined, { signal, onConnection, silence = SILENCE }: FollowOptions): AsyncGenerator<JobEvent | 'no more', void, undefined> {
  const silent = new AbortController()
  const watch = setTimeout(() => { silent.abort() }, silence)
  const arrived: JobEvent[] = []
  const parser = createParser({ onEvent: (message) => { arrived.push(eventOf(message)) } })
  const decoder = new TextDecoder()
  try {
    const body = await client.events(path, { lastEventId, signal: AbortSignal.any([signal, silent.signal]) })
    onConnection?.(undefined)
    if (body === undefined) {
      yield 'no more'
      return
    }
    for await (const chunk of body) {
      watch.refresh()
      parser.feed(decoder.decode(chunk as Uint8Array, { stream: true }))
      yield * arrived.splice(0)
    }
  } finally {
    clearTimeout(watch)
  }
}

const eventOf = ({ id, data }: EventSourceMessage): JobEvent => ({ ...JSON.parse(data) as JobEvent, id }) as JobEvent
