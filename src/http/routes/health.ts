// Is it alive, is it ready, and what does it count: `/health/live`, `/health/ready`, `/metrics`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { Type } from '@sinclair/typebox'
import type { FastifyRequest } from 'fastify'
import { refuse } from '../../domain/codes.ts'
import { hasEnded, type JobView } from '../../domain/rotation/job.ts'
import type { ProjectionStatus } from '../../queries.ts'
import { isFromHere } from '../from-here.ts'
import type { Metrics } from '../metrics.ts'
import type { OpenJobs } from '../open-jobs.ts'
import { bearer } from '../plugins/authentication.ts'

export interface HealthRouteDeps {
  /** Name → resolves if the store answers. */
  stores: Readonly<Record<string, () => Promise<unknown>>>
  projections: () => Promise<readonly ProjectionStatus[]>
  /** What the lifecycle stream is published to; absent where this process does not publish. It is no condition of being ready: commands go on without it. */
  publisher?: () => { status: 'waiting' | 'away' | 'stopped' | 'ready', lagEntries: number | undefined, lagMs: number | undefined, remarks: readonly string[] }
  /** Nor are rotations one: what an operator should look at is said beside it. */
  rotations: OpenJobs
  metrics: Metrics
}

/** Longest that a store may take to answer before it counts as away, in ms. */
const PATIENCE = 1000
/** For what is asked by machines every few seconds, each from one address, or all through one proxy. */
const WATCHED = { max: 600, timeWindow: 60_000 }
const tags = ['health']

const Ready = Type.Object({
  status: Type.Union([Type.Literal('ready'), Type.Literal('not_ready')]),
  stores: Type.Optional(Type.Record(Type.String({ maxLength: 64 }), Type.Object({
    status: Type.Union([Type.Literal('up'), Type.Literal('down')]), took_ms: Type.Integer()
  }), { maxProperties: 10 })),
  publisher: Type.Optional(Type.Object({
    status: Type.Union([Type.Literal('waiting'), Type.Literal('away'), Type.Literal('stopped'), Type.Literal('ready')], {
      description: 'waiting: there is no Redis yet; away: it does not take entries; stopped: somebody has to act, the remarks say how'
    }),
    lag_entries: Type.Union([Type.Integer(), Type.Null()], { description: 'Lifecycle events that the stream still lacks; null while that is not known' }),
    lag_ms: Type.Union([Type.Integer(), Type.Null()], { description: 'Age of the oldest of them' }),
    remarks: Type.Array(Type.String({ maxLength: 1000 }), { maxItems: 20 })
  }, { additionalProperties: false, description: 'Not a condition of being ready: what is to be published waits in the log' })),
  rotations: Type.Optional(Type.Object({
    open: Type.Integer(),
    alarms: Type.Array(Type.Object({
      credential: Type.String({ maxLength: 48 }), rotation_id: Type.String({ maxLength: 36 }), state: Type.String({ maxLength: 32 }), alarm: Type.String({ maxLength: 2000 })
    }, { additionalProperties: false }), { maxItems: 100, description: 'Rotations that an operator should look at, for instance since the old token is not seen refused for minutes; also ended ones that left a required consumer without a value' })
  }, { additionalProperties: false, description: 'Not a condition of being ready; absent where the read model does not answer' })),
  projections: Type.Optional(Type.Array(Type.Object({
    name: Type.String({ maxLength: 64 }),
    version: Type.Integer(),
    status: Type.String({ maxLength: 32 }),
    here: Type.String({ maxLength: 32 }),
    position: Type.String({ maxLength: 20 }),
    lag: Type.Union([Type.Integer(), Type.Literal('unknown')], { description: 'ms between the last event applied and the last of ours' }),
    alarm: Type.Optional(Type.String({ maxLength: 1000 }))
  }), { maxItems: 100 }))
}, { additionalProperties: false })

export const healthRoutes = ({ stores, projections, publisher, rotations, metrics }: HealthRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  const { access } = app.door

  app.get('/health/live', {
    config: { access: 'public', rateLimit: WATCHED },
    schema: { tags, summary: 'The process answers', response: { 200: Type.Object({ status: Type.Literal('live') }, { additionalProperties: false }) } }
  }, async () => ({ status: 'live' as const }))

  app.get('/health/ready', {
    config: { access: 'public', rateLimit: WATCHED },
    schema: { tags, summary: 'Each store and each read model, and rotations to look at; in full only from the machine itself or with metrics.read', response: { 200: Ready, 503: Ready } }
  }, async (request, reply) => {
    const [checked, models] = await Promise.all([checkAll(stores), projections().catch(() => undefined)])
    const ready = models !== undefined && models.every(({ state }) => state === 'serving') && Object.values(checked).every(({ status }) => status === 'up')
    const full = await maySeeAll(request)
    const jobs = full ? await inTime(rotations()) : undefined
    return reply.code(ready ? 200 : 503).send({
      status: ready ? 'ready' as const : 'not_ready' as const,
      ...full && { stores: checked, projections: (models ?? []).map(projectionItem), ...publisher !== undefined && { publisher: publisherItem(publisher()) } },
      ...jobs !== undefined && { rotations: rotationsItem(jobs) }
    })
  })

  app.get('/metrics', {
    config: { permission: 'metrics.read', loopbackOpen: true, rateLimit: WATCHED },
    schema: { tags, summary: 'Counters in Prometheus\'s text form' },
    // The door lets in whoever comes from loopback without a token; what came through a proxy there came from anywhere.
    onRequest: async (request, reply) => {
      if (request.caller !== undefined || isFromHere(request)) return
      void reply.header('www-authenticate', 'Bearer realm="chancery"')
      refuse('unauthenticated', 'Through a proxy this needs an access token: Authorization: Bearer chy_…')
    }
  }, async (_request, reply) => reply.type(metrics.registry.contentType).send(await metrics.registry.metrics()))

  const maySeeAll = async (request: FastifyRequest): Promise<boolean> => {
    if (isFromHere(request)) return true
    const token = bearer(request)
    if (token === undefined) return false
    return (await access.judge(token, 'metrics.read').catch(() => undefined))?.outcome === 'allowed'
  }
}

interface Check { status: 'up' | 'down', took_ms: number }

const checkAll = async (stores: HealthRouteDeps['stores']): Promise<Record<string, Check>> =>
  Object.fromEntries(await Promise.all(Object.entries(stores).map(async ([name, ask]) => [name, await check(ask)] as const)))

const check = async (ask: () => Promise<unknown>): Promise<Check> => {
  const began = performance.now()
  const up = await inTime(ask().then(() => true, () => false))
  return { status: up === true ? 'up' : 'down', took_ms: Math.round(performance.now() - began) }
}

/** Undefined for what takes too long. */
const inTime = async <T>(answer: Promise<T>): Promise<T | undefined> => {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<undefined>((resolve) => { timer = setTimeout(resolve, PATIENCE, undefined) })
  const first = await Promise.race([answer, late])
  clearTimeout(timer)
  return first
}

const rotationsItem = (jobs: readonly JobView[]) => ({
  open: jobs.filter(({ state }) => !hasEnded(state)).length,
  alarms: jobs.flatMap(({ credential, rotationId, state, alarm }) => alarm === undefined ? [] : [{ credential, rotation_id: rotationId, state, alarm }]).slice(0, 100)
})

const publisherItem = ({ status, lagEntries, lagMs, remarks }: ReturnType<NonNullable<HealthRouteDeps['publisher']>>) => ({
  status, lag_entries: lagEntries ?? null, lag_ms: lagMs === undefined ? null : Math.round(lagMs), remarks: remarks.slice(0, 20).map((remark) => remark.slice(0, 1000))
})

const projectionItem = ({ name, version, state, here, position, lagMs, alarm }: ProjectionStatus) => ({
  name, version, status: state, here, position: String(position), lag: lagMs === undefined ? 'unknown' as const : Math.round(lagMs),
  ...alarm !== undefined && { alarm: `${alarm.message} ${alarm.hint}`.slice(0, 1000) }
})
