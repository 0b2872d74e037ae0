// Receipts of lifecycle consumers, `/api/v1/lobby/receipts`, and who has finished with an account: `…/deletion`.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { deletionOf, type Deletion, type DeletionDeps, type Progress } from '../../commands/consumers/deletion.ts'
import { acceptReceipt, type ReceiptDeps } from '../../commands/consumers/receipts.ts'
import { accepted, located } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import { asOwner } from '../own-consumer.ts'
import * as schemas from '../schemas/consumers.ts'

export type ReceiptRouteDeps = ReceiptDeps & DeletionDeps

export const receiptRoutes = (deps: ReceiptRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.post('/api/v1/lobby/receipts', {
    config: { permission: 'lobby.write' },
    schema: { tags: ['lobby'], summary: 'Report what was done about a lifecycle entry; safe to repeat', body: schemas.ReceiptBody, response: { 200: schemas.ReceiptAnswer } }
  }, async (request, reply) => {
    const { consumer, event_id: eventId, position, user_id: userId, outcome, items, digest } = request.body
    const { acknowledgedAt, replayed, ...place } = await asOwner(request, (by) => acceptReceipt(
      deps, { consumer, eventId, position: BigInt(position), userId, outcome, items, digest, by }, commandContext(request)))
    return accepted(reply, place, { consumer, event_id: eventId, acknowledged_at: acknowledgedAt, replayed })
  })

  app.get('/api/v1/admin/users/:user_id/deletion', {
    config: { permission: 'accounts.read', waitsFor: ['consumers'] },
    schema: { tags: ['admin'], summary: 'Who has acted on the account\'s block or deletion, and who is overdue; also of a deleted one', params: schemas.DeletionParams, response: { 200: schemas.DeletionAnswer } }
  }, async (request, reply) => {
    const { user_id: userId } = request.params
    const found = await deletionOf(deps, userId, app.door.clock.now())
    return located(reply, found, deletionBody(userId, found))
  })
}

const deletionBody = (userId: string, { life, holds, entries }: Deletion) => ({
  user_id: userId,
  stage: life.stage,
  deleted_at: life.stage === 'live' ? null : life.deletedAt,
  purge_after: life.stage === 'live' ? null : life.purgeAfter,
  holds: holds.map(({ holdId, matter, placedAt, until }) => ({ hold_id: holdId, matter, placed_at: placedAt, until: until ?? null })),
  entries: entries.map(({ event, progress }) => ({
    event_type: event.type,
    event_id: event.id,
    event_position: String(event.position),
    occurred_at: new Date(event.data.occurredAtMs).toISOString(),
    consumers: progress.map(progressItem)
  })),
  settled: entries.every(({ progress }) => progress.every(({ state }) => state === 'finished'))
})

const progressItem = (progress: Progress) => {
  if (progress.state !== 'finished') return { consumer: progress.consumer, state: progress.state, due_at: progress.dueAt }
  if ('settledBy' in progress) {
    const { consumer, state, settledBy: { eventPosition, acknowledgedAt } } = progress
    return { consumer, state, settled_by: String(eventPosition), acknowledged_at: acknowledgedAt }
  }
  const { consumer, state, receipt: { outcome, items, digest, acknowledgedAt } } = progress
  return { consumer, state, outcome, items, digest, acknowledged_at: acknowledgedAt }
}
