// The accounts side's half of a ghost reset: the verdict that counts, judged from the account's own stream.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import type { Mark } from '../mark.ts'
import type { User } from './user.ts'
import { enrolmentOf, judge } from './verdict.ts'

export interface GhostDelete {
  testerId: string
  userId: string
  resetId: string
  linkOpenedAt: Instant
  /** As of when it is judged. One moment for a whole reset: an account that was no ghost then cannot become one for it. */
  judgedAt: Date
  at: Instant
  graceMs: number
  /** Where the account's stream stands, and where the caller saw it. */
  position: bigint
  evaluatedAtPosition?: bigint
}

/**
 * Ends the account if it is a ghost; nothing to record if a reset ended it before.
 * Refuses with `account_not_a_shell`, `account_healthy`, `mid_enrollment`, `verdict_stale` (decisions 18, 19, 21).
 */
export const ghostDelete = (user: User, command: GhostDelete): Array<EventOf<'user'>> => {
  const { testerId, userId, resetId, at, graceMs } = command
  if (user.status === 'reset') {
    return user.testerId === testerId ? [] : refuse('account_not_a_shell', 'The account belongs to another tester.')
  }
  if (user.status === 'present' && user.testerId !== testerId) {
    return refuse('account_not_a_shell', 'The account belongs to another tester.')
  }
  const verdict = judge(enrolmentOf(user, command.linkOpenedAt), command.judgedAt, graceMs)
  if (verdict.state === 'healthy') {
    return refuse('account_healthy', 'The account has a credential. Nothing was deleted; a ghost reset does not apply.')
  }
  if (!user.shell) {
    return refuse('account_not_a_shell', 'The account holds more than an enrolment. Nothing was deleted; delete accounts by the deletion route.')
  }
  if (verdict.state === 'mid_enrollment') {
    return refuse('mid_enrollment', 'The enrolment is under way. Ask again when it has become a ghost.', { becomes_ghost_at: verdict.becomesGhostAt })
  }
  if (command.evaluatedAtPosition !== undefined && command.position > command.evaluatedAtPosition) {
    return refuse('verdict_stale', 'The account moved since the verdict was shown. Look at it again and decide anew.', { position: String(command.position) })
  }
  return [{
    type: 'account.ghost_reset',
    data: {
      userId, testerId, resetId, resetAt: at, state: verdict.state,
      ...(user.status === 'present' && { addressHash: user.addressHash }),
      rule: verdict.rule, thresholdMs: graceMs, evidence: verdict.evidence.map((mark) => evidenceOf(`user-${userId}`, mark))
    }
  }]
}

/** A mark as facts and answers quote it. */
export const evidenceOf = (stream: string, { revision, type, at }: Mark) => ({ stream, revision: String(revision), type, occurredAt: at })
