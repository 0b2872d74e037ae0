// `Prefer: wait` on the steps of a rotation: the answer comes when the job waits for a human again.
import type { FastifyRequest } from 'fastify'
import { credentialAggregate } from '../domain/credential/credential.ts'
import type { Aggregates } from '../commands/execute.ts'
import type { EventStore, ExpectedRevision } from '../ports.ts'
import { isWorking } from '../domain/rotation/job.ts'
import type { StreamWatch } from './stream-watch.ts'

/** Longest that is waited, in seconds. */
const MOST = 30
/** How often the stream is looked at even if nothing is told. */
const LOOK_MS = 2_000

/** What the header asks for, in ms: RFC 7240 `wait=<seconds>`, at most 30. Preferences that are not known are passed over, as it says. */
export const waitAsked = ({ headers }: FastifyRequest): number | undefined => {
  const given = [headers['prefer']].flat().join(',')
  const seconds = /(?:^|[,;])\s*wait\s*=\s*"?(\d{1,6})"?\s*(?=$|[,;])/i.exec(given)?.[1]
  return seconds === undefined ? undefined : Math.min(Number(seconds), MOST) * 1000
}

/**
 * Resolves when the job waits for a human, has ended, the time is over, or the caller has gone.
 * @param options.gone aborted when nobody waits for the answer any more
 * @param options.orElse `abort_checked`: also as soon as it is known whether there is a way back
 */
export const waitForHuman = async (
  { aggregates, watch }: { aggregates: Pick<Aggregates, 'current'>, watch: StreamWatch }, { credential, rotationId }: { credential: string, rotationId: string },
  ms: number, { gone, orElse }: { gone: AbortSignal, orElse: 'abort_checked' | undefined }
): Promise<void> => {
  const until = performance.now() + ms
  const watcher = await watch.watch(`credential-${credential}`)
  gone.addEventListener('abort', () => { watcher.close() }, { once: true })
  try {
    while (!gone.aborted) {
      const { state } = await aggregates.current(credentialAggregate, credential)
      const job = state.status === 'known' && state.job?.rotationId === rotationId ? state.job : undefined
      if (job === undefined || !isWorking(job.state)) return
      if (orElse === 'abort_checked' && job.state === 'aborting') return
      const left = until - performance.now()
      if (left <= 0 || !await watcher.news(Math.min(left, LOOK_MS))) return
    }
  } finally {
    watcher.close()
  }
}

/** True if the way back was refused after a fact of this revision: the old value is dead. */
export const refusedAbort = async ({ events }: { events: Pick<EventStore, 'readStream'> }, credential: string, after: ExpectedRevision): Promise<boolean> => {
  if (after === 'no_stream') return false
  for await (const { type } of events.readStream(`credential-${credential}`, { from: after + 1n })) {
    if (type === 'rotation.abort_refused') return true
    if (type === 'rotation.abort_started' || type === 'rotation.aborted') return false
  }
  return false
}
