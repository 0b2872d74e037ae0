// A tester leaves the beta: deletion with all links revoked, and the erasure after the cooling period.
import { isErasable, type Erasure } from '../account/erasure.ts'
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import { revokeAll } from './links.ts'
import { openReset, type Tester } from './tester.ts'

export interface TesterDeletion {
  at: Date
  /** How long the record stays, in ms. */
  coolingMs: number
}

/**
 * Deletes the tester softly, and its links in the same append: none of them opens anything afterwards, and no mail with
 * one goes out. The address stays reserved. Refuses with `subject_not_found`, also a tester who was deleted before, and
 * with `conflict` while a reset is under way: only its own steps can end it.
 */
export const deleteTester = (tester: Tester, { at, coolingMs }: TesterDeletion): Array<EventOf<'tester'>> => {
  if (tester.status === 'absent' || tester.life.stage !== 'live') return refuse('subject_not_found', 'There is no such tester.')
  if (openReset(tester) !== undefined) {
    return refuse('conflict', 'A ghost reset of this tester is under way. Ask for it again, so that it ends, and then delete the tester.', { next: 'ghost-reset' })
  }
  return [...revokeAll(tester, 'tester_deleted', at), {
    type: 'tester.deleted',
    data: { testerId: tester.testerId, deletedAt: at.toISOString(), purgeAfter: new Date(at.getTime() + coolingMs).toISOString() }
  }]
}

/**
 * States the intent; nothing to record if it is not due, is held, has begun, or a mail is not settled yet: one that is
 * being handed over would lie in the outbox afterwards.
 * @param erasure.userIds accounts that are nothing but leftovers of this tester's links: they are settled next
 */
export const startTesterErasure = (tester: Tester, { erasureId, at, userIds }: Erasure & { userIds: readonly string[] }): Array<EventOf<'tester'>> =>
  tester.status === 'present' && isErasable(tester, at) && tester.mails.every(({ status }) => status === 'sent' || status === 'failed')
    ? [{ type: 'tester.erasure_started', data: { testerId: tester.testerId, erasureId, startedAt: at.toISOString(), userIds: [...userIds] } }]
    : []

/**
 * States the outcome, after the keys were destroyed; nothing to record if it stands already.
 * @param erasure.userIds accounts whose keys went along
 */
export const finishTesterErasure = (tester: Tester, { erasureId, at, userIds }: Erasure & { userIds: readonly string[] }): Array<EventOf<'tester'>> =>
  tester.status === 'present' && tester.life.stage === 'erasing' && tester.life.erasureId === erasureId
    ? [{ type: 'tester.purged', data: { testerId: tester.testerId, erasureId, purgedAt: at.toISOString(), userIds: [...userIds] } }]
    : []
