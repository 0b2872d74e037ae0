// The console's routes about beta testers: invite, list, look, send again, reset a ghost, delete, import.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply } from 'fastify'
import { requireAddress } from '../../commands/address.ts'
import { deleteTester, type TesterDeletionDeps } from '../../commands/erasure/delete-tester.ts'
import type { TesterDeps } from '../../commands/testers/deps.ts'
import { ghostReset } from '../../commands/testers/ghost-reset.ts'
import { importTesters, type ImportDeps } from '../../commands/testers/import.ts'
import { inviteTester } from '../../commands/testers/invite.ts'
import type { MailedLink } from '../../commands/testers/link.ts'
import { listTesters, showTester, type OverviewDeps } from '../../commands/testers/overview.ts'
import { resendLink } from '../../commands/testers/resend.ts'
import { accepted, located } from '../answers.ts'
import { vaultFor } from '../clear-text.ts'
import { commandContext } from '../command-context.ts'
import { positionIn } from '../cursors.ts'
import { limitOf, Empty } from '../schemas/shared.ts'
import * as schemas from '../schemas/testers.ts'
import { onTheWire, testerItem, timelineItem } from '../tester-items.ts'
import { contextWithWhy } from '../why.ts'

export type TesterRouteDeps = TesterDeps & OverviewDeps & Pick<ImportDeps, 'log' | 'positions' | 'importAccount'> & TesterDeletionDeps

const PATH = '/api/v1/console/beta/testers'
const IMPORT_BYTES = 8 * 1024 * 1024
const READ_MODELS = ['testers', 'users', 'tokens', 'audit']
const tags = ['testers']

export const testerRoutes = (deps: TesterRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  app.post(PATH, {
    config: { permission: 'testers.write' },
    schema: { tags, summary: 'Invite a tester: reserve the address, mint a link, mail it', body: schemas.InviteBody, response: { 201: schemas.MailedLinkAnswer } }
  }, async (request, reply) => mailed(reply, await inviteTester(deps, request.body, commandContext(request)), 201))

  app.get(PATH, {
    config: { permission: 'testers.read', waitsFor: READ_MODELS },
    schema: { tags, summary: 'Testers by their arrival, with ghost state', querystring: schemas.TesterQuery, response: { 200: schemas.TesterPage } }
  }, async (request) => {
    const { ghost_state: ghostState, email, cursor } = request.query
    const { views, next } = await listTesters({ ...deps, vault: vaultFor(request, deps.vault) }, {
      ...(ghostState !== undefined && { ghostState }),
      ...(email !== undefined && { addressHash: requireAddress(deps.keys, email).hash }),
      ...(cursor !== undefined && { after: positionIn(cursor) })
    }, limitOf(request.query))
    return {
      items: views.map((view) => ({ ...testerItem(view), position: String(view.row.position), revision: String(view.row.revision) })),
      next_cursor: next === null ? null : String(next)
    }
  })

  app.get(`${PATH}/:tester_id`, {
    config: { permission: 'testers.read', waitsFor: READ_MODELS },
    schema: { tags, summary: 'One tester with the verdict, its evidence and the timeline', params: schemas.TesterParams, response: { 200: schemas.TesterAnswer } }
  }, async (request, reply) => {
    const { timeline, ...view } = await showTester({ ...deps, vault: vaultFor(request, deps.vault) }, request.params.tester_id)
    return located(reply, view.row, {
      ...testerItem(view), verdict: view.verdict === undefined ? null : onTheWire(view.verdict), timeline: timeline.map(timelineItem)
    })
  })

  app.post(`${PATH}/:tester_id/resend`, {
    config: { permission: 'testers.write' },
    schema: { tags, summary: 'Mail the unused link again (409 token_used once it was used)', params: schemas.TesterParams, body: Empty, response: { 200: schemas.MailedLinkAnswer } }
  }, async (request, reply) => mailed(reply, await resendLink(deps, {
    testerId: request.params.tester_id, ...(request.ifMatch !== undefined && { ifMatch: request.ifMatch })
  }, commandContext(request))))

  app.post(`${PATH}/:tester_id/ghost-reset`, {
    config: { permission: 'ghosts.reset' },
    schema: { tags, summary: 'Reset a ghost: delete the shell, revoke old links, mail a fresh one', params: schemas.TesterParams, body: schemas.ResetBody, response: { 200: schemas.ResetAnswerBody } }
  }, async (request, reply) => {
    const { tester_id: testerId } = request.params
    const { evaluated_at_position: evaluated, ...why } = request.body
    const context = contextWithWhy(request, `tester-${testerId}`, why)
    const reset = await ghostReset(deps, {
      testerId,
      ...(evaluated !== undefined && { evaluatedAtPosition: BigInt(evaluated) }),
      ...(request.ifMatch !== undefined && { ifMatch: request.ifMatch })
    }, context)
    return accepted(reply, reset, {
      tester_id: reset.testerId,
      reset_id: reset.resetId,
      ...onTheWire(reset),
      initiated_at: reset.initiatedAt,
      completed_at: reset.completedAt,
      fresh_token_id: reset.freshTokenId,
      fresh_user_id: reset.freshUserId,
      link_expires_at: reset.linkExpiresAt,
      mail_id: reset.mailId,
      mail: reset.mail
    })
  })

  app.post(`${PATH}/:tester_id/delete`, {
    config: { permission: 'testers.write' },
    schema: { tags, summary: 'Delete a tester: links revoked, the address kept reserved, erased after the cooling period', params: schemas.TesterParams, body: schemas.DeleteTesterBody, response: { 200: schemas.DeletedTesterAnswer } }
  }, async (request, reply) => {
    const { tester_id: testerId } = request.params
    const deleted = await deleteTester(deps, { testerId, ifMatch: request.ifMatch }, contextWithWhy(request, `tester-${testerId}`, request.body))
    return accepted(reply, deleted, { tester_id: testerId, deleted_at: deleted.deletedAt, purge_after: deleted.purgeAfter })
  })

  app.post(`${PATH}/import`, {
    bodyLimit: IMPORT_BYTES,
    config: { permission: 'testers.write' },
    schema: { tags, summary: 'Take over the testers of an existing beta: all rows or none', body: schemas.ImportBody, response: { 200: schemas.ImportAnswer } }
  }, async (request, reply) => {
    const report = await importTesters(deps, request.body.rows, commandContext(request))
    const position = String(report.position)
    void reply.header('chancery-position', position)
    return { rows: report.rows, imported: report.imported, already_imported: report.alreadyImported, passkey_placeholders: report.placeholders, position }
  })
}

const mailed = (reply: FastifyReply, link: MailedLink, status = 200) => accepted(reply, link, {
  tester_id: link.testerId,
  token_id: link.tokenId,
  ...(link.expiresAt !== undefined && { link_expires_at: link.expiresAt }),
  mail_id: link.mailId,
  mail: 'requested' as const
}, status)
