// Ghost-delete: `account.ghost_reset` is appended first, then the address is freed, and the row follows from the fact.
import { Refusal, refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { emailAggregate, releaseEmail } from '../../domain/reservation/reservation.ts'
import { ghostDelete as decideDelete } from '../../domain/user/ghost-delete.ts'
import { userAggregate, type ResetState } from '../../domain/user/user.ts'
import { LogUnavailable, UnreadableEvent } from '../../log-errors.ts'
import type { GhostDeleteRequest } from '../../account-ports.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { AccountsDeps } from './deps.ts'

export interface Deleted {
  position: bigint
  revision: ExpectedRevision
  state: ResetState
  /** The account had been deleted before. */
  replayed: boolean
}

type Command = Pick<CommandContext, 'commandId' | 'fingerprint'>

/** How long the answer waits for the row to be gone, in ms: longer, and it answers without. */
const ROW_WAIT_MS = 2000

/**
 * Judges the account from its own stream and ends it, with that stream's revision: a ceremony that finishes in between
 * wins. An account that a reset ended before is answered again, its address freed if a crash left it held.
 *
 * Refuses with `account_healthy`, `mid_enrollment`, `account_not_a_shell`, `verdict_stale`, and with
 * `account_audit_failed` (500, seed 000) if the event store did not take the fact.
 * @param command the caller's own command id; without it one that derives from the reset
 */
export const ghostDelete = async (deps: AccountsDeps, request: GhostDeleteRequest, command?: Command): Promise<Deleted> => {
  try {
    const deleted = await carryOut(deps, request, command)
    await deps.positions.waitFor(['users'], deleted.position, ROW_WAIT_MS).catch(() => {})
    return deleted
  } catch (error) {
    // A fact that this version does not know is no enrolment fact, so the account is more than a shell.
    if (error instanceof UnreadableEvent) throw new Refusal('account_not_a_shell', 'The account holds facts that are unknown here. Nothing was deleted.')
    throw error
  }
}

const carryOut = async ({ aggregates, ids, clock, graceMs }: AccountsDeps, request: GhostDeleteRequest, command?: Command): Promise<Deleted> => {
  const { testerId, userId, resetId, linkOpenedAt, evaluatedAtPosition } = request
  const now = clock.now()
  const judgedAt = new Date(Math.min(now.getTime(), Date.parse(request.initiatedAt)))
  const context = contextOf(request, command ?? { commandId: ids.derive('ghost-delete', resetId) }, now)
  const { state, position, revision, events, replayed } = await aggregates.execute({
    aggregate: userAggregate,
    id: userId,
    context,
    decide: (user, loaded) => decideDelete(user, {
      testerId, userId, resetId, linkOpenedAt, judgedAt, at: now.toISOString(), graceMs, position: loaded.position,
      ...(evaluatedAtPosition !== undefined && { evaluatedAtPosition })
    })
  }).catch(auditFailed('The event store did not take the fact, so no account was deleted. Ask again later.'))
  if (state.status !== 'reset') return refuse('conflict', 'The account could not be settled. Send the request again.')

  // Without an account the address may be held all the same: claimed, and then the ceremony broke off.
  const addressHash = state.addressHash ?? request.addressHash
  if (addressHash !== undefined) {
    await aggregates.execute({
      aggregate: emailAggregate,
      id: addressHash,
      context: contextOf(request, { commandId: ids.derive('email-release', state.resetId) }, now),
      decide: (reservation) => releaseEmail(reservation, userId, now.toISOString())
    }).catch(auditFailed('The account was deleted; its address is not free yet, since the event store did not take that fact. Ask again later.'))
  }
  return { position, revision, state: state.state, replayed: replayed || events.length === 0 }
}

/** What an append means that was certainly not made. */
const auditFailed = (sentence: string) => (error: unknown): never => {
  if (error instanceof LogUnavailable) return refuse('account_audit_failed', sentence)
  throw error
}

const contextOf = (request: GhostDeleteRequest, command: Command, at: Date): CommandContext => {
  const { actor, requestId, correlationId, source, reason, reasonCode, ticket, userId } = request
  return {
    ...command,
    at,
    actor,
    requestId,
    ...(correlationId !== undefined && { correlationId }),
    ...(source !== undefined && { source }),
    ...(reason !== undefined && { reason: new Clear(reason, `user-${userId}`) }),
    ...(reasonCode !== undefined && { reasonCode }),
    ...(ticket !== undefined && { ticket })
  }
}
