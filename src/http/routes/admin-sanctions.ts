// The admin surface of what is decided about an account: sanctions, limits, the tariff (seed 003).
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { applySanction, removeLimit, removeSanction, setLimit, setTariff } from '../../commands/users/administer.ts'
import { subjectOf, type UserDeps } from '../../commands/users/deps.ts'
import { limitsOf, sanctionsOf } from '../../commands/users/look.ts'
import { limitCodes } from '../../domain/account/catalogues.ts'
import { limitItem, opener, sanctionItem } from '../account-items.ts'
import { accepted, located } from '../answers.ts'
import { vaultFor } from '../clear-text.ts'
import * as schemas from '../schemas/sanctions.ts'
import { UserParams } from '../schemas/users.ts'
import { instantOf } from '../times.ts'
import { contextWithWhy } from '../why.ts'

const PATH = '/api/v1/admin/users/:user_id'
const READ = { permission: 'accounts.read' } as const
const WRITE = { permission: 'accounts.write' } as const
const tags = ['admin']

export const adminSanctionRoutes = (deps: UserDeps): FastifyPluginAsyncTypebox => async (app) => {
  const { clock } = app.door

  app.get(`${PATH}/sanctions`, {
    config: READ, schema: { tags, summary: 'All sanctions of an account with their history', params: UserParams, response: { 200: schemas.SanctionsAnswer } }
  }, async (request, reply) => {
    const userId = request.params.user_id
    const { sanctions, ...place } = await sanctionsOf(deps, userId)
    const open = opener(vaultFor(request, deps.vault), userId)
    const now = clock.now()
    return located(reply, place, { user_id: userId, items: await Promise.all(sanctions.map((record) => sanctionItem(record, open, now))) })
  })

  app.post(`${PATH}/sanctions`, {
    config: WRITE, schema: { tags, summary: 'Apply a sanction', params: UserParams, body: schemas.ApplyBody, response: { 201: schemas.AppliedAnswer } }
  }, async (request, reply) => {
    const { body, params: { user_id: userId } } = request
    const receipt = await applySanction(deps, {
      userId,
      ...ifMatchOf(request),
      code: body.code,
      scope: body.scope ?? 'platform',
      reasonCode: body.reason_code,
      ...body.public_note !== undefined && { publicNote: body.public_note },
      ...body.internal_note !== undefined && { internalNote: body.internal_note },
      ...body.evidence !== undefined && { evidence: body.evidence },
      ...body.starts_at !== undefined && { startsAt: instantOf(body.starts_at) },
      ...body.expires_at !== undefined && { expiresAt: instantOf(body.expires_at) }
    }, contextWithWhy(request, subjectOf(userId), body))
    const { sanctionId, code, scope, startsAt, expiresAt } = receipt.events.find((event) => event.type === 'user.sanction_applied')?.data ?? unsettled()
    return accepted(reply, receipt, { user_id: userId, sanction_id: sanctionId, code, scope, starts_at: startsAt, expires_at: expiresAt ?? null }, 201)
  })

  app.post(`${PATH}/sanctions/:sanction_id/remove`, {
    config: WRITE, schema: { tags, summary: 'Remove a sanction that counts or is still to begin', params: schemas.SanctionParams, body: schemas.Why, response: { 200: schemas.RemovedAnswer } }
  }, async (request, reply) => {
    const { user_id: userId, sanction_id: sanctionId } = request.params
    const receipt = await removeSanction(deps, { userId, sanctionId, ...ifMatchOf(request) }, contextWithWhy(request, subjectOf(userId), request.body))
    const { removedAt } = receipt.events.find((event) => event.type === 'user.sanction_removed')?.data ?? unsettled()
    return accepted(reply, receipt, { user_id: userId, sanction_id: sanctionId, removed_at: removedAt })
  })

  app.get(`${PATH}/limits`, {
    config: READ, schema: { tags, summary: 'The limits of an account with their history', params: UserParams, response: { 200: schemas.LimitsAnswer } }
  }, async (request, reply) => {
    const userId = request.params.user_id
    const { inForce, history, ...place } = await limitsOf(deps, userId, clock.now())
    const open = opener(vaultFor(request, deps.vault), userId)
    return located(reply, place, {
      user_id: userId,
      in_force: limitCodes.map((code) => ({ code, value: inForce[code].value, own: inForce[code].cause !== undefined })),
      history: await Promise.all(history.map((record) => limitItem(record, open)))
    })
  })

  app.post(`${PATH}/limits`, {
    config: WRITE, schema: { tags, summary: 'Set a limit of an account', params: UserParams, body: schemas.LimitBody, response: { 200: schemas.LimitAnswer } }
  }, async (request, reply) => {
    const { body, params: { user_id: userId } } = request
    const { code, value } = body
    const receipt = await setLimit(deps, { userId, code, value, ...ifMatchOf(request) }, contextWithWhy(request, subjectOf(userId), body))
    return accepted(reply, receipt, { user_id: userId, code, value })
  })

  app.post(`${PATH}/limits/:code/remove`, {
    config: WRITE, schema: { tags, summary: 'Remove a limit of an account: the default holds again', params: schemas.LimitParams, body: schemas.Why, response: { 200: schemas.LimitAnswer } }
  }, async (request, reply) => {
    const { user_id: userId, code } = request.params
    const receipt = await removeLimit(deps, { userId, code, ...ifMatchOf(request) }, contextWithWhy(request, subjectOf(userId), request.body))
    return accepted(reply, receipt, { user_id: userId, code, value: null })
  })

  app.post(`${PATH}/tariff`, {
    config: WRITE, schema: { tags, summary: 'Set the tariff of an account', params: UserParams, body: schemas.TariffBody, response: { 200: schemas.TariffAnswer } }
  }, async (request, reply) => {
    const { body, params: { user_id: userId } } = request
    const receipt = await setTariff(deps, {
      userId,
      ...ifMatchOf(request),
      code: body.code,
      ...body.since !== undefined && { since: instantOf(body.since) },
      ...body.until !== undefined && { until: instantOf(body.until) }
    }, contextWithWhy(request, subjectOf(userId), body))
    const { state, events } = receipt
    const now = state.status === 'present' ? state.account.tariff : undefined
    const { code, since, until } = events.find((event) => event.type === 'user.tariff_set')?.data ?? now ?? unsettled()
    return accepted(reply, receipt, { user_id: userId, code, since, until: until ?? null })
  })
}

const ifMatchOf = ({ ifMatch }: { ifMatch: bigint | undefined }) => ({ ...ifMatch !== undefined && { ifMatch } })

const unsettled = (): never => { throw new Error('a decision that was neither recorded nor refused') }
