// Legal holds on accounts and testers, deleted or not.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyRequest } from 'fastify'
import { holdsOn, liftHoldOn, placeHoldOn, type Held, type HoldDeps, type HoldsOnRecord } from '../../commands/erasure/legal-holds.ts'
import type { Vault } from '../../ports.ts'
import { actItem, type OpenText } from '../account-items.ts'
import { accepted, located } from '../answers.ts'
import { vaultFor } from '../clear-text.ts'
import * as schemas from '../schemas/legal-holds.ts'
import { instantOf } from '../times.ts'
import { contextWithWhy, type Why } from '../why.ts'

export type LegalHoldRouteDeps = HoldDeps & { vault: Pick<Vault, 'open'> }

const USERS = '/api/v1/admin/users/:user_id/legal-holds'
const TESTERS = '/api/v1/console/beta/testers/:tester_id'
const WRITE = { permission: 'holds.write' } as const

interface Placing extends Why { matter: string, until?: string }

const subjectOf = ({ kind, id }: Held): string => `${kind}-${id}`

export const legalHoldRoutes = (deps: LegalHoldRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  const place = (request: FastifyRequest, held: Held, body: Placing) => placeHoldOn(deps, held, {
    matter: body.matter, ...body.until !== undefined && { until: instantOf(body.until) }, ...request.ifMatch !== undefined && { ifMatch: request.ifMatch }
  }, contextWithWhy(request, subjectOf(held), body))
  const lift = (request: FastifyRequest, held: Held, holdId: string, body: Why) =>
    liftHoldOn(deps, held, { holdId, ...request.ifMatch !== undefined && { ifMatch: request.ifMatch } }, contextWithWhy(request, subjectOf(held), body))
  const list = async (request: FastifyRequest, held: Held) => {
    const found = await holdsOn(deps, held, app.door.clock.now())
    return { found, shown: await holdItems(found, subjectOf(held), vaultFor(request, deps.vault)) }
  }

  app.get(USERS, {
    config: { permission: 'accounts.read' },
    schema: { tags: ['admin'], summary: 'Legal holds on an account, with their history; also of a deleted one', params: schemas.UserParams, response: { 200: schemas.UserHolds } }
  }, async (request, reply) => {
    const { user_id: id } = request.params
    const { found, shown } = await list(request, { kind: 'user', id })
    return located(reply, found, { user_id: id, ...shown })
  })

  app.post(USERS, {
    config: WRITE,
    schema: { tags: ['admin'], summary: 'Place a legal hold: the record is not erased meanwhile', params: schemas.UserParams, body: schemas.PlaceBody, response: { 201: schemas.UserHoldAccepted } }
  }, async (request, reply) => {
    const { user_id: id } = request.params
    const placed = await place(request, { kind: 'user', id }, request.body)
    return accepted(reply, placed, { user_id: id, hold_id: placed.holdId }, 201)
  })

  app.post(`${USERS}/:hold_id/lift`, {
    config: WRITE,
    schema: { tags: ['admin'], summary: 'Lift a legal hold', params: schemas.UserHoldParams, body: schemas.LiftBody, response: { 200: schemas.UserHoldAccepted } }
  }, async (request, reply) => {
    const { user_id: id, hold_id: holdId } = request.params
    return accepted(reply, await lift(request, { kind: 'user', id }, holdId, request.body), { user_id: id, hold_id: holdId })
  })

  app.get(`${TESTERS}/legal-holds`, {
    config: { permission: 'testers.read' },
    schema: { tags: ['testers'], summary: 'Legal holds on a tester, with their history; also of a deleted one', params: schemas.TesterParams, response: { 200: schemas.TesterHolds } }
  }, async (request, reply) => {
    const { tester_id: id } = request.params
    const { found, shown } = await list(request, { kind: 'tester', id })
    return located(reply, found, { tester_id: id, ...shown })
  })

  app.post(`${TESTERS}/legal-holds`, {
    config: WRITE,
    schema: { tags: ['testers'], summary: 'Place a legal hold on a tester', params: schemas.TesterParams, body: schemas.PlaceBody, response: { 201: schemas.TesterHoldAccepted } }
  }, async (request, reply) => {
    const { tester_id: id } = request.params
    const placed = await place(request, { kind: 'tester', id }, request.body)
    return accepted(reply, placed, { tester_id: id, hold_id: placed.holdId }, 201)
  })

  app.post(`${TESTERS}/legal-holds/:hold_id/lift`, {
    config: WRITE,
    schema: { tags: ['testers'], summary: 'Lift a legal hold from a tester', params: schemas.TesterHoldParams, body: schemas.LiftBody, response: { 200: schemas.TesterHoldAccepted } }
  }, async (request, reply) => {
    const { tester_id: id, hold_id: holdId } = request.params
    return accepted(reply, await lift(request, { kind: 'tester', id }, holdId, request.body), { tester_id: id, hold_id: holdId })
  })
}

/** Reasons are opened only of who is live: a deleted account's or tester's never without a fact that says so (ADR 0140). */
const holdItems = async ({ life, holds }: HoldsOnRecord, subject: string, vault: Pick<Vault, 'open'>) => {
  const open: OpenText = async (sealed) => {
    if (sealed === undefined || life.stage !== 'live') return null
    const found = await vault.open(sealed, subject)
    return found.status === 'open' ? found.text : null
  }
  return {
    stage: life.stage,
    deleted_at: life.stage === 'live' ? null : life.deletedAt,
    purge_after: life.stage === 'live' ? null : life.purgeAfter,
    items: await Promise.all(holds.map(async ({ holdId, matter, until, inForce, placed, lifted }) => ({
      hold_id: holdId, matter, until: until ?? null, in_force: inForce,
      placed: await actItem(placed, open), lifted: lifted === undefined ? null : await actItem(lifted, open)
    })))
  }
}
