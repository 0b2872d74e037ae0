// Rotations: opening a job, looking at it, and its steps; each step names the stage transition that it was decided on.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import { readJob } from '../../commands/rotations/read.ts'
import { openRotation, takeStep } from '../../commands/rotations/rotations.ts'
import { credentialAggregate } from '../../domain/credential/credential.ts'
import { refuse } from '../../domain/codes.ts'
import { Secret } from '../../domain/credential/secret.ts'
import type { JobView } from '../../domain/rotation/job.ts'
import type { Step } from '../../domain/rotation/steps.ts'
import type { RotationQueries, RotationRow } from '../../rotation-queries.ts'
import { jobItem, openerIdOf } from '../job-items.ts'
import { CredentialParams, RotationQuery } from '../schemas/credentials.ts'
import * as schemas from '../schemas/rotations.ts'
import { limitOf } from '../schemas/shared.ts'
import type { StreamWatch } from '../stream-watch.ts'
import { refusedAbort, waitAsked, waitForHuman } from '../step-wait.ts'
import { instantOf } from '../times.ts'
import { contextWithWhy, ticketIn, type Why } from '../why.ts'

export type RotationRouteDeps = RotationDeps & { rotations: Pick<RotationQueries, 'rotationsOf'>, watch: StreamWatch }

const PATH = '/api/v1/credentials/:name/rotations'
const READ = { permission: 'rotations.read' } as const
const WRITE = { permission: 'rotations.operate' } as const
const tags = ['rotations']
/** So long the answer to an abort waits by itself for whether the old value still works: 409 says more than 202. */
const ABORT_CHECK_MS = 5_000

const description = 'Needs If-Match with the ETag of the job: 428 without it, 412 if the job has moved. `Prefer: wait=<seconds, at most 30>` answers when the job waits for a human again.'

interface Job { credential: string, rotationId: string }

export const rotationRoutes = (deps: RotationRouteDeps): FastifyPluginAsyncTypebox => async (app) => {
  const jobOf = async (of: Job) => await readJob(deps, of) ??
    refuse('subject_not_found', 'There is no such rotation of this credential. GET …/rotations lists them.')

  app.post(PATH, {
    config: WRITE,
    schema: { tags, summary: 'Open a rotation; nothing is asked of the vendor yet', params: CredentialParams, body: schemas.OpenBody, response: { 201: schemas.JobAnswer } }
  }, async (request, reply) => {
    const { params: { name: credential }, body: { mode = 'rotate', confirm, ...why } } = request
    const { rotationId } = await openRotation(deps, { credential, mode, trigger: 'operator', ...confirm !== undefined && { confirm } }, contextOf(request, credential, why))
    void reply.header('location', `/api/v1/credentials/${credential}/rotations/${rotationId}`)
    return answer(reply, await jobOf({ credential, rotationId }), 201)
  })

  app.get(PATH, {
    config: { ...READ, waitsFor: ['rotations'] },
    schema: { tags, summary: 'The rotations of a credential, the newest first', params: CredentialParams, querystring: RotationQuery, response: { 200: schemas.RotationList } }
  }, async ({ params: { name }, query }) => {
    const { state } = await deps.aggregates.current(credentialAggregate, name)
    if (state.status === 'absent') refuse('subject_not_found', 'There is no such credential. GET /api/v1/credentials lists them all.')
    const limit = limitOf(query)
    const rows = await deps.rotations.rotationsOf(name, query.cursor === undefined ? {} : { before: BigInt(query.cursor) }, limit)
    return { items: rows.map(rotationItem), next_cursor: rows.length < limit ? null : String(rows.at(-1)?.firstPosition) }
  })

  app.get(`${PATH}/:rotation_id`, {
    config: READ, schema: { tags, summary: 'One rotation: its state, each consumer, the gate, and what may be asked for now', params: schemas.RotationParams, response: { 200: schemas.JobAnswer } }
  }, async ({ params }, reply) => answer(reply, await jobOf({ credential: params.name, rotationId: params.rotation_id }), 200))

  /** 202 at once, or, where `Prefer: wait` asks for it, as soon as the job waits for a human again. */
  const take = async (request: Asking, reply: FastifyReply, step: Step, why: Why) => {
    const { name: credential, rotation_id: rotationId } = request.params
    const of = { credential, rotationId }
    const wait = waitAsked(request)
    const transition = request.ifMatch === undefined ? undefined : Number(request.ifMatch)
    const receipt = await takeStep(deps, { ...of, transition, step }, contextOf(request, credential, why))
    const until = wait ?? (step.kind === 'abort' ? ABORT_CHECK_MS : 0)
    if (wait !== undefined) void reply.header('preference-applied', `wait=${wait / 1000}`)
    const gone = new AbortController()
    reply.raw.once('close', () => { gone.abort() })
    if (until > 0) await waitForHuman(deps, of, until, { gone: gone.signal, orElse: wait === undefined ? 'abort_checked' : undefined })
    if (until > 0 && step.kind === 'abort' && await refusedAbort(deps, credential, receipt.revision)) {
      refuse('old_credential_dead', 'The old value no longer works at the vendor, or the vault no longer holds it, so there is nothing to go back to. Retry or validate: the way is forward.', { rotation_id: rotationId })
    }
    return answer(reply, await jobOf(of), 202)
  }

  const simple = [
    ['verify', 'Stage 1: probe the current value; nothing is changed'],
    ['retry', 'Give the new value once more to those who have not taken it; nothing is minted'],
    ['validate', 'Stage 3: ask every consumer to prove the new value'],
    ['abort', 'Go back; what that means now, abort_means says']
  ] as const
  for (const [kind, summary] of simple) {
    app.post(`${PATH}/:rotation_id/${kind}`, {
      config: WRITE, schema: { tags, summary, description, params: schemas.RotationParams, body: schemas.StepBody, response: { 202: schemas.JobAnswer } }
    }, (request, reply) => take(request, reply, { kind }, request.body))
  }

  app.post(`${PATH}/:rotation_id/distribute`, {
    config: WRITE,
    schema: { tags, summary: 'Stage 2: mint a new value (or take the pasted one) and give it to all consumers', description, params: schemas.RotationParams, body: schemas.DistributeBody, response: { 202: schemas.JobAnswer } }
  }, (request, reply) => {
    const { value, vendor_token_id: vendorTokenId, expires_at: expiresAt, ...why } = request.body
    if (value === undefined) {
      if (vendorTokenId !== undefined || expiresAt !== undefined) refuse('invalid_request', 'vendor_token_id and expires_at belong to a pasted value.')
      return take(request, reply, { kind: 'distribute' }, why)
    }
    const pasted = { value: new Secret(value), ...vendorTokenId !== undefined && { vendorTokenId }, ...expiresAt !== undefined && { expiresAt: instantOf(expiresAt) } }
    return take(request, reply, { kind: 'distribute', pasted }, why)
  })

  app.post(`${PATH}/:rotation_id/waive`, {
    config: WRITE,
    schema: { tags, summary: 'Do without the proof of one consumer that is not required', description, params: schemas.RotationParams, body: schemas.WaiveBody, response: { 202: schemas.JobAnswer } }
  }, (request, reply) => {
    const { consumer, ...why } = request.body
    return take(request, reply, { kind: 'waive', consumer }, why)
  })

  app.post(`${PATH}/:rotation_id/revoke`, {
    config: WRITE,
    schema: { tags, summary: 'Revoke the old value after one more round of proofs; from then on the way is forward', description, params: schemas.RotationParams, body: schemas.RevokeBody, response: { 202: schemas.JobAnswer } }
  }, (request, reply) => {
    const { confirm, ...why } = request.body
    return take(request, reply, { kind: 'revoke', confirm }, why)
  })
}

type Asking = FastifyRequest & { params: { name: string, rotation_id: string } }

const contextOf = (request: FastifyRequest, credential: string, why: Why) => {
  ticketIn(why)
  return contextWithWhy(request, `credential-${credential}`, why)
}

/** A job's ETag is the number of its last stage transition (decision 32), not the stream's revision: deliveries move that too. */
const answer = (reply: FastifyReply, { view, revision, position }: { view: JobView, revision: bigint, position: bigint }, status: number) => {
  void reply.code(status).headers({ 'chancery-position': String(position), etag: `"${view.transition}"` })
  return { ...jobItem(view), position: String(position), revision: String(revision) }
}

const rotationItem = ({ rotationId, mode, trigger, state, openedAt, openedBy, changedAt, endedAt, position }: RotationRow) => ({
  rotation_id: rotationId, mode, trigger, state, opened_at: openedAt, operator_id: openerIdOf(openedBy), changed_at: changedAt, ended_at: endedAt, position: String(position)
})
