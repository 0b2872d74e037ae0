// One job as it goes on: server-sent events that resume, and the transcript, which replays it step by step.
import { Readable } from 'node:stream'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { refuse } from '../../domain/codes.ts'
import type { Vault } from '../../ports.ts'
import { vaultFor } from '../clear-text.ts'
import { isPosition, positionIn } from '../cursors.ts'
import { actorItem, jobItem, operatorIdOf } from '../job-items.ts'
import { bearer } from '../plugins/authentication.ts'
import { readerOf, type FeedDeps, type JobFact } from '../rotation-feed.ts'
import { followed, nextAfter, nextOf, type News } from '../rotation-news.ts'
import * as schemas from '../schemas/rotations.ts'
import { Cursor, limitOf, Limit, closed } from '../schemas/shared.ts'
import type { StreamWatch, Watcher } from '../stream-watch.ts'
import { transcriptItem } from '../transcript-items.ts'

export type RotationEventDeps = FeedDeps & {
  vault: Pick<Vault, 'open'>
  watch: StreamWatch
  /** How often a silent stream says that it is alive, and whether its reader still may read is looked at again, in ms. */
  heartbeatMs?: number
  /** A reader who took nothing for so long is let go, in ms. */
  stalledMs?: number
  /** Readers of this process at a time; each holds a connection and the state of one credential. */
  mostReaders?: number
}

const PATH = '/api/v1/credentials/:name/rotations/:rotation_id'
const READ = { permission: 'rotations.read' } as const
const tags = ['rotations']
const HEARTBEAT_MS = 15_000
const STALLED_MS = 120_000
const MOST_READERS = 256

export const rotationEventRoutes = (deps: RotationEventDeps): FastifyPluginAsyncTypebox => async (app) => {
  const { watch, heartbeatMs = HEARTBEAT_MS, stalledMs = STALLED_MS, mostReaders = MOST_READERS } = deps
  const readers = new Set<() => void>()
  // Streams have no end of their own; the server's close would wait for them.
  app.addHook('preClose', async () => {
    for (const end of readers) end()
    await watch.stop()
  })

  app.get(`${PATH}/events`, {
    config: READ,
    schema: {
      tags, summary: 'The job as it goes on, as server-sent events; resumes by Last-Event-ID, ends after done or aborted', params: schemas.RotationParams,
      response: { 200: { description: 'id: revision in the credential\'s stream; event: the fact; data: fact, at, actor, operator_id, and the job after it. Without id, as_of_now: only time has changed the job; data: at, and the job by then', content: { 'text/event-stream': { schema: Type.Unsafe<Readable>({ type: 'string', maxLength: 1_000_000 }) } } }, 204: Type.Null({ description: 'The job has ended, and everything was told' }) }
    }
  }, async (request, reply) => {
    const { name: credential, rotation_id: rotationId } = request.params
    const after = lastEventId(request)
    if (readers.size >= mostReaders) refuse('overloaded', 'Too many follow rotations here already. Read the job itself, or come back later.')
    const over = new AbortController()
    const reader = readerOf(deps, { credential, rotationId })
    let watcher: Watcher | undefined
    const end = (): void => { over.abort(); watcher?.close() }
    const leave = (): void => { readers.delete(end); end() }
    // The place is taken before anything is waited for: many who come at once are held to the bound as well.
    readers.add(end)
    // At once, and not when the stream that nobody reads any more comes to its next line.
    reply.raw.once('close', leave)
    if (reply.raw.destroyed) leave()
    // The first one tells whether there is such a job, before anything is answered.
    const begin = async () => {
      watcher = await watch.watch(`credential-${credential}`)
      if (over.signal.aborted) watcher.close()
      const facts = followed(reader, watcher, over.signal, { clock: app.door.clock, heartbeatMs })
      return { facts, first: await nextAfter(reader, facts, after) }
    }
    const { facts, first } = await begin().catch((error: unknown) => { leave(); throw error })
    if (first === 'none') {
      leave()
      if (reader.ended()) return reply.code(204).send(null)
      return refuse('subject_not_found', 'There is no such rotation of this credential. GET …/rotations lists them.')
    }

    let taken = performance.now()
    const lines = async function * () {
      for (let one: News | undefined = first; one !== undefined && !over.signal.aborted; one = await nextOf(facts, after)) {
        yield messageOf(one)
        taken = performance.now()
      }
    }
    // One message is made as the one before is taken: a slow reader holds back his own, and costs no memory.
    const stream = Readable.from(lines(), { objectMode: false, highWaterMark: 1 })
    const look = setInterval(() => {
      if (performance.now() - taken > stalledMs + heartbeatMs) stream.destroy()
      void mayStill(request).then((may) => { if (!may) end() })
    }, heartbeatMs).unref()
    stream.once('close', () => { clearInterval(look) })
    return reply.headers({ 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-accel-buffering': 'no' }).send(stream)
  })

  app.get(`${PATH}/transcript`, {
    config: READ,
    schema: {
      tags, summary: 'The job step by step: who did what and why, and what vendor and consumers answered, scrubbed of secrets',
      params: schemas.RotationParams, querystring: Type.Object({ cursor: Type.Optional(Cursor()), limit: Type.Optional(Limit()) }, closed), response: { 200: schemas.Transcript }
    }
  }, async (request) => {
    const { name: credential, rotation_id: rotationId } = request.params
    const after = request.query.cursor === undefined ? undefined : positionIn(request.query.cursor)
    const limit = limitOf(request.query, 1000)
    const vault = vaultFor(request, deps.vault)
    const found: JobFact[] = []
    let known = false
    for await (const fact of readerOf(deps, { credential, rotationId }).read()) {
      known = true
      if (after !== undefined && fact.event.revision <= after) continue
      found.push(fact)
      if (found.length > limit) break
    }
    if (!known) refuse('subject_not_found', 'There is no such rotation of this credential. GET …/rotations lists them.')
    const items = found.slice(0, limit)
    return {
      credential,
      rotation_id: rotationId,
      items: await Promise.all(items.map((fact) => transcriptItem(fact, vault))),
      next_cursor: found.length > limit ? String(items.at(-1)?.event.revision) : null
    }
  })

  /** A token that was revoked opens nothing, also not what it opened before. A log that is away says nothing about it. */
  const mayStill = (request: FastifyRequest): Promise<boolean> =>
    app.door.access.judge(bearer(request), READ.permission).then(({ outcome }) => outcome === 'allowed', () => true)
}

const lastEventId = ({ headers }: FastifyRequest): bigint | undefined => {
  const given = headers['last-event-id']
  if (given === undefined || given === '') return undefined
  if (typeof given !== 'string' || !isPosition(given)) return refuse('invalid_request', 'Last-Event-ID takes the id of an event of this stream.')
  return BigInt(given)
}

const messageOf = (news: News): string => {
  if (news === 'silence') return ': still here\n\n'
  // Without an id: it is nowhere in the log, and nobody resumes after it.
  if (!('event' in news)) return `event: as_of_now\ndata: ${JSON.stringify({ at: news.at.toISOString(), view: jobItem(news.view) })}\n\n`
  const { event, view } = news
  const data = { fact: event.type, at: event.metadata.occurredAt, actor: actorItem(event.metadata.actor), operator_id: operatorIdOf(event), view: jobItem(view) }
  return `id: ${event.revision}\nevent: ${event.type}\ndata: ${JSON.stringify(data)}\n\n`
}
