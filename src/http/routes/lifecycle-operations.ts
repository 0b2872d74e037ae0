// What operators do with the lifecycle stream: `/api/v1/operations/lifecycle`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Aggregates } from '../../commands/execute.ts'
import { away, beginLifecycleEpoch } from '../../commands/lifecycle/epochs.ts'
import { refuse } from '../../domain/codes.ts'
import { EPOCHS, epochsAggregate, type EpochBegun } from '../../domain/lifecycle/epochs.ts'
import { Clear } from '../../domain/personal.ts'
import { StreamUnavailable, type LifecycleOperations, type PublisherStatus, type StreamReport, type Verification } from '../../lifecycle-stream.ts'
import type { Ids } from '../../ports.ts'
import { accepted } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import * as schemas from '../schemas/lifecycle-operations.ts'
import { Empty } from '../schemas/shared.ts'

export interface LifecycleOperationDeps {
  aggregates: Aggregates
  ids: Ids
  /** Key of the stream. */
  stream: string
  /** Undefined while there is no Redis. */
  operations: () => LifecycleOperations | undefined
}

const READ = { permission: 'operations.read' } as const
const WRITE = { permission: 'operations.write' } as const
const tags = ['operations']
const PATH = '/api/v1/operations/lifecycle'

export const lifecycleOperationRoutes = ({ aggregates, ids, stream, operations }: LifecycleOperationDeps): FastifyPluginAsyncTypebox => async (app) => {
  const present = (): LifecycleOperations => operations() ?? refuse('redis_unavailable', 'There is no Redis here yet. What is to be published waits in the log.')

  app.get(PATH, {
    config: READ, schema: { tags, summary: 'The lifecycle stream: its publisher, what Redis holds, who follows it', response: { 200: schemas.Lifecycle } }
  }, async () => {
    const at = operations()
    const [{ state: epochs }, report] = await Promise.all([aggregates.current(epochsAggregate, EPOCHS), at?.report().catch(unlessAway)])
    const status = at?.status()
    return {
      stream,
      publisher: status === undefined ? null : publisherItem(status),
      redis: report === undefined ? null : streamItem(report),
      epochs: { begun: epochs.begun.length, open: epochs.open === undefined ? null : epochItem(epochs.open) }
    }
  })

  app.post(`${PATH}/verify`, {
    config: WRITE, schema: { tags, summary: 'Compare the stream with the log over the retained window', body: Empty, response: { 200: schemas.Verification } }
  }, async () => verificationItem(await present().verify().catch(away)))

  app.post(`${PATH}/epoch`, {
    config: WRITE, schema: { tags, summary: 'Put the stream aside and publish the retained window into a new one', body: schemas.EpochBody, response: { 202: schemas.EpochAccepted } }
  }, async (request, reply) => {
    const { stream: typed, reason, ticket } = request.body
    if (typed !== stream) refuse('invalid_request', `Name the stream that is to be put aside: ${stream}.`)
    const context = commandContext(request, { reason: new Clear(reason, `principal-${request.caller?.principalId ?? ''}`), ...ticket !== undefined && { ticket } })
    const lifecycle = { report: () => present().report() }
    const receipt = await beginLifecycleEpoch({ aggregates, ids, stream, lifecycle }, context)
    const begun = receipt.events.find(({ type }) => type === 'lifecycle.epoch_begun')
    if (begun?.type !== 'lifecycle.epoch_begun') throw new Error('an epoch that was neither begun nor refused')
    return accepted(reply, receipt, epochItem(begun.data), 202)
  })
}

const unlessAway = (error: unknown): undefined => {
  if (!(error instanceof StreamUnavailable)) throw error
}

const epochItem = ({ epochId, begunAt, renamedTo }: EpochBegun) => ({ epoch_id: epochId, begun_at: begunAt, renamed_to: renamedTo })

const publisherItem = ({ state, cause, lagEntries, lagMs, published, failures, overtaken, fenced, trimmed, alarms, verified }: PublisherStatus) => ({
  status: state,
  ...cause !== undefined && { cause: cause.slice(0, 64) },
  lag_entries: lagEntries ?? null,
  lag_ms: lagMs === undefined ? null : Math.round(lagMs),
  published,
  failures,
  overtaken,
  fenced,
  trimmed,
  alarms: alarms.map(({ reason, message, hint }) => ({ reason, message: message.slice(0, 1000), hint: hint.slice(0, 1000) })),
  ...verified !== undefined && { verified: verificationItem(verified) }
})

const streamItem = ({ state, strayEntryId, groups, consumers }: StreamReport) => ({
  length: state.length,
  first_entry_id: state.first?.id ?? null,
  last_entry_id: state.last?.id ?? null,
  stray_entry_id: strayEntryId ?? null,
  groups: groups.map((group) => group.slice(0, 1024)),
  consumers: consumers.map(({ name, group, acknowledged }) => ({ consumer: name, group, acknowledged: acknowledged === undefined ? null : String(acknowledged) }))
})

const verificationItem = ({ from, to, entries, missing, extra, different, outOfOrder, samples, at, tookMs }: Verification) => ({
  from: String(from),
  to: String(to),
  entries,
  missing,
  extra,
  different,
  out_of_order: outOfOrder,
  samples: samples.map(({ kind, entryId, eventId }) => ({ kind, entry_id: entryId, event_id: eventId.slice(0, 256) })),
  verified_at: at.toISOString(),
  took_ms: tookMs
})
