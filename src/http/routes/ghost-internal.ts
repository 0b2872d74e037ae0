// The accounts side's internal routes: ghost-check and ghost-delete, for the console's service token (seed 000).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { AccountsDeps } from '../../commands/accounts/deps.ts'
import { ghostCheck, ghostCheckOne } from '../../commands/accounts/ghost-check.ts'
import { ghostDelete } from '../../commands/accounts/ghost-delete.ts'
import type { GhostCheckRequest, GhostVerdict } from '../../account-ports.ts'
import { accepted } from '../answers.ts'
import { commandContext } from '../command-context.ts'
import * as schemas from '../schemas/ghost-internal.ts'
import { onTheWire } from '../tester-items.ts'
import { instantOf } from '../times.ts'

const PATH = '/api/internal/users'
const CHECK = { permission: 'accounts.ghost_check', waitsFor: ['users'] } as const
const tags = ['accounts']

export const ghostInternalRoutes = (deps: AccountsDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.post(`${PATH}/ghost-check`, {
    config: CHECK, schema: { tags, summary: 'The ghost verdict on one account', body: schemas.CheckBody, response: { 200: schemas.VerdictAnswer } }
  }, async (request) => verdictItem(await ghostCheckOne(deps, checkOf(request.body))))

  app.post(`${PATH}/ghost-checks`, {
    config: CHECK, schema: { tags, summary: 'The ghost verdicts on many accounts, in the order asked', body: schemas.ChecksBody, response: { 200: schemas.VerdictsAnswer } }
  }, async (request) => ({ verdicts: (await ghostCheck(deps, request.body.accounts.map(checkOf), request.body.proven)).map((verdict) => verdict === undefined ? null : verdictItem(verdict)) }))

  app.post(`${PATH}/ghost-delete`, {
    config: { permission: 'accounts.ghost_delete', auditFailed: true },
    schema: { tags, summary: 'Judge the account again and delete the ghost', body: schemas.DeleteBody, response: { 200: schemas.DeleteAnswer } }
  }, async (request, reply) => {
    const { body } = request
    const context = commandContext(request)
    const resetId = body.reset_id ?? app.door.ids.derive('ghost-reset', body.user_id, context.commandId)
    const deleted = await ghostDelete(deps, {
      ...checkOf(body),
      resetId,
      initiatedAt: body.initiated_at === undefined ? context.at.toISOString() : instantOf(body.initiated_at),
      ...(body.address_hash !== undefined && { addressHash: body.address_hash }),
      ...(body.evaluated_at_position !== undefined && { evaluatedAtPosition: BigInt(body.evaluated_at_position) }),
      ...(body.reason !== undefined && { reason: body.reason }),
      ...(body.reason_code !== undefined && { reasonCode: body.reason_code }),
      ...(body.ticket !== undefined && { ticket: body.ticket }),
      ...(body.correlation_id !== undefined && { correlationId: body.correlation_id }),
      ...(body.actor !== undefined && { source: context.actor.id }),
      actor: body.actor ?? context.actor,
      requestId: context.requestId
    }, { commandId: context.commandId, ...(context.fingerprint !== undefined && { fingerprint: context.fingerprint }) })
    return accepted(reply, deleted, { user_id: body.user_id, reset_id: resetId, state: deleted.state, replayed: deleted.replayed })
  })
}

const checkOf = (body: { tester_id: string, user_id: string, link_opened_at: string }): GhostCheckRequest =>
  ({ testerId: body.tester_id, userId: body.user_id, linkOpenedAt: instantOf(body.link_opened_at) })

const verdictItem = (verdict: GhostVerdict) => ({
  ...onTheWire({ ...verdict, evaluatedAtPosition: String(verdict.evaluatedAtPosition) }), account_position: String(verdict.accountPosition)
})
