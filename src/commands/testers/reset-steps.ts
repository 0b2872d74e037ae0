// The steps of a reset after its intent, each recorded before the next begins, each safe to repeat by anybody.
import { Refusal, refuse } from '../../domain/codes.ts'
import type { EventOf } from '../../domain/catalogue.ts'
import { complete, giveFreshLink } from '../../domain/tester/ghost-reset.ts'
import { testerAggregate, type GhostReset, type Tester, type Verdict } from '../../domain/tester/tester.ts'
import type { ResetState } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { TesterDeps } from './deps.ts'
import { mintingFor } from './link.ts'

/** Longest wait for the mail's outcome, in ms (decision 23). */
const MAIL_WAIT_MS = 5000

export interface ResetAnswer extends Verdict {
  testerId: string
  resetId: string
  initiatedAt: string
  completedAt: string
  freshTokenId: string
  freshUserId: string
  linkExpiresAt: string
  mailId: string
  mail: 'sent' | 'failed' | 'pending'
  position: bigint
  revision: ExpectedRevision
}

/**
 * Carries a reset on from wherever it stands: account deleted → fresh link and mail asked for → mail awaited →
 * completed. Every step has a command id of its own that derives from the reset, so callers who share a reset share
 * each step's one append.
 */
export const carryOn = async (
  deps: TesterDeps, testerId: string, reset: GhostReset, context: CommandContext
): Promise<ResetAnswer> => {
  const { aggregates, ids, clock, mail, linkTtlMs } = deps
  const { resetId } = reset
  const step = (name: string, decide: (tester: Tester, at: Date) => Array<EventOf<'tester'>>): Promise<Receipt<Tester, 'tester'>> => {
    const at = clock.now()
    const stepContext = { ...following(reset, context), commandId: ids.derive(name, resetId), at }
    return aggregates.execute({ aggregate: testerAggregate, id: testerId, context: stepContext, decide: (tester) => decide(tester, at) })
  }

  // Asked again also where the fresh link stands already: a repeat deletes nothing, and tells what was deleted.
  const deleted = reset.status === 'open' ? await deleteAccount(deps, testerId, reset, context) : undefined
  if (reset.status === 'open' && reset.fresh === undefined) {
    await step('ghost-reset-link', (tester, at) => giveFreshLink(tester, resetId, mintingFor(ids, resetId, at, linkTtlMs)))
  }
  if (reset.status === 'open') {
    const { state } = await aggregates.cached(testerAggregate, testerId)
    const fresh = find(state, resetId)
    if (fresh?.status === 'open' && fresh.fresh !== undefined) await mail.waitForMail(testerId, fresh.fresh.mailId, MAIL_WAIT_MS)
  }
  return answerOf(await step('ghost-reset-completed', (tester, at) => complete(tester, resetId, at, deleted)), resetId)
}

/** Asks the accounts side; the reason and the actor are those of the first (decision 23). */
const deleteAccount = async (
  { accounts, aggregates, vault }: TesterDeps, testerId: string, reset: GhostReset, context: CommandContext
): Promise<ResetState> => {
  const { resetId, userId, initiatedAt, initiator, presentedPosition } = reset
  const opened = initiator.reason === undefined ? undefined : await vault.open(initiator.reason, `tester-${testerId}`)
  const { state: tester } = await aggregates.cached(testerAggregate, testerId)
  const { state } = await accounts.ghostDelete({
    testerId,
    userId,
    ...(tester.status === 'present' && { addressHash: tester.addressHash }),
    linkOpenedAt: reset.linkOpenedAt,
    resetId,
    initiatedAt,
    ...(presentedPosition !== undefined && { evaluatedAtPosition: presentedPosition }),
    ...(opened?.status === 'open' && { reason: opened.text }),
    ...(initiator.reasonCode !== undefined && { reasonCode: initiator.reasonCode }),
    ...(initiator.ticket !== undefined && { ticket: initiator.ticket }),
    actor: initiator.actor,
    correlationId: initiator.correlationId,
    requestId: context.requestId
  }).catch((error: unknown) => {
    // The seed's 500 is ghost-delete's own; the console's route says what its other commands say (decision 5).
    if (error instanceof Refusal && error.code === 'account_audit_failed') return refuse('audit_unavailable', error.message)
    throw error
  })
  return state
}

const following = ({ initiator }: GhostReset, { requestId, traceparent }: CommandContext) => ({
  actor: initiator.actor,
  requestId,
  correlationId: initiator.correlationId,
  causationId: initiator.commandId,
  ...(traceparent !== undefined && { traceparent }),
  ...(initiator.reasonCode !== undefined && { reasonCode: initiator.reasonCode }),
  ...(initiator.ticket !== undefined && { ticket: initiator.ticket })
})

const find = (state: Tester, resetId: string) => state.status === 'present' ? state.resets.find((reset) => reset.resetId === resetId) : undefined

/** Rebuilt from the facts, so that everybody who shares the reset gets the same answer. */
const answerOf = ({ state, position, revision }: Receipt<Tester, 'tester'>, resetId: string): ResetAnswer => {
  const reset = find(state, resetId)
  if (state.status === 'absent' || reset?.status !== 'completed') {
    return refuse('conflict', 'The reset was closed by somebody else meanwhile. Look at the tester and ask again.')
  }
  const token = state.tokens.find(({ tokenId }) => tokenId === reset.fresh.tokenId)
  const mail = state.mails.find(({ mailId }) => mailId === reset.fresh.mailId)?.status
  return {
    ...reset.verdict,
    testerId: state.testerId,
    resetId,
    initiatedAt: reset.initiatedAt,
    completedAt: reset.completedAt,
    freshTokenId: reset.fresh.tokenId,
    freshUserId: token?.userId ?? '',
    linkExpiresAt: token?.expiresAt ?? '',
    mailId: reset.fresh.mailId,
    mail: mail === 'sent' || mail === 'failed' ? mail : 'pending',
    position,
    revision
  }
}
