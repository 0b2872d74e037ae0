// The latest view of a rotation while a terminal is at work on it, whoever brings the news: the event stream or our own steps.
import { EventEmitter, once } from 'node:events'
import type { Client } from '../client.ts'
import { followJob, type FollowOptions } from '../events.ts'
import type { JobAnswer, JobView } from '../rotation-api.ts'

export interface WatchedJob {
  now (): JobView
  /** A view from elsewhere, such as the answer to a step; an older one is let go. */
  take (view: JobView): void
  /** Resolves at the next view, or when the run is stopped. Throws what the event stream could not get over. */
  moved (): Promise<void>
  /** Aborted once the job has passed the transition of this view, or its gate has opened or closed: proofs grow old. */
  movedOn (from: JobView): AbortSignal
}

export const watchJob = (client: Client, job: JobAnswer, options: FollowOptions): WatchedJob => {
  let seen: JobView = job
  let failure: unknown
  const news = new EventEmitter()
  const take = (view: JobView): void => {
    // The answer to a step may be ahead of the events.
    if (view.transition < seen.transition) return
    seen = view
    news.emit('view')
  }
  const follow = async (): Promise<void> => {
    for await (const { view } of followJob(client, { credential: job.credential, rotationId: job.rotation_id }, { ...options, after: job.revision })) take(view)
  }
  void follow().catch((error: unknown) => {
    failure = error
    news.emit('view')
  })
  return {
    now: () => seen,
    take,
    moved: async () => {
      if (failure === undefined) await once(news, 'view', { signal: options.signal }).catch(() => {})
      if (failure !== undefined) throw failure as Error
    },
    movedOn: ({ transition, gate }) => {
      const moved = new AbortController()
      const look = (): void => {
        if (seen.transition === transition && seen.gate.open === gate.open) return
        news.off('view', look)
        moved.abort()
      }
      news.on('view', look)
      look()
      return moved.signal
    }
  }
}
