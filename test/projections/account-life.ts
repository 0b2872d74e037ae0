// An account's whole life for tests of read models: named, sanctioned, limited, deleted, opened, held, erased.
import { randomUUID } from 'node:crypto'
import { limitCodes, sanctionCodes } from '../../src/domain/account/catalogues.ts'
import type { ChanceryEvent } from '../../src/domain/catalogue.ts'
import { announce } from '../../src/domain/lifecycle/announce.ts'
import { Clear } from '../../src/domain/personal.ts'

const at = '2026-07-01T12:00:00.000Z'

/** Steered by `choose` (0 ≤ n < below), as `life` in support.ts. */
export const accountLife = (choose: (below: number) => number): Array<{ stream: string, facts: ChanceryEvent[] }> => {
  const userId = randomUUID()
  const stream = `user-${userId}`
  const clear = (text: string) => new Clear(text, stream)
  const hash = () => randomUUID().replaceAll('-', '').repeat(2)
  const announcement = { userId, at: new Date(at), source: 'p-1', actor: { type: 'principal', id: 'p-1' }, reasonCode: 'test' } as const
  const steps: ChanceryEvent[][] = [[{
    type: 'user.registered', data: { userId, email: clear('gräce@example.org'), addressHash: hash(), registeredAt: at, ...choose(2) === 0 && { preferredLanguage: 'de' } }
  }]]
  const applied: Array<{ sanctionId: string, code: (typeof sanctionCodes)[number] }> = []
  const some = <T>(values: readonly T[]): T => values[choose(values.length)] as T

  const moves: Array<() => ChanceryEvent[]> = [
    () => {
      const [sanctionId, code] = [randomUUID(), some(sanctionCodes)]
      applied.push({ sanctionId, code })
      return [
        { type: 'user.sanction_applied', data: { userId, sanctionId, code, scope: 'platform', appliedAt: at, startsAt: at, ...choose(3) === 0 && code !== 'permanent_block' && { expiresAt: at }, publicNote: clear('nöte') } },
        ...code === 'permanent_block' ? [announce('user.lifecycle.permanent_blocked', announcement)] : []
      ]
    },
    () => {
      const sanction = applied.shift()
      return sanction === undefined ? [] : [{ type: 'user.sanction_removed', data: { userId, ...sanction, scope: 'platform', removedAt: at } }]
    },
    () => [choose(3) === 0
      ? { type: 'user.profile_updated', data: { userId, updatedAt: at, displayNameRemoved: true } }
      : { type: 'user.profile_updated', data: { userId, updatedAt: at, userName: clear('grace'), userNameHash: hash(), displayName: clear('Gräce') } }],
    () => [{ type: 'user.settings_updated', data: { userId, updatedAt: at, timeZone: 'Europe/Berlin' } }],
    () => [{ type: 'user.limit_set', data: { userId, code: some(limitCodes), value: choose(50), setAt: at } }],
    () => [{ type: 'user.limit_removed', data: { userId, code: some(limitCodes), removedAt: at } }],
    () => [{ type: 'user.tariff_set', data: { userId, code: 'gold', since: at, setAt: at, ...choose(2) === 0 && { until: at } } }],
    () => [{ type: 'user.user_name_claim_voided', data: { userId, claimId: randomUUID(), userNameHash: hash(), voidedAt: at } }]
  ]
  if (choose(2) === 0) {
    const block = { userId, sanctionId: randomUUID(), code: 'permanent_block', scope: 'platform' } as const
    steps.push([{ type: 'user.sanction_applied', data: { ...block, appliedAt: at, startsAt: at } }, announce('user.lifecycle.permanent_blocked', announcement)])
    steps.push([{ type: 'user.sanction_removed', data: { ...block, removedAt: at } }])
  }
  for (let count = choose(12); count > 0; count--) {
    const facts = some(moves)()
    if (facts.length > 0) steps.push(facts)
  }
  if (choose(2) === 0) {
    const [holdId, erasureId] = [randomUUID(), randomUUID()]
    steps.push([{ type: 'user.deleted', data: { userId, deletedAt: at, purgeAfter: at } }, announce('user.lifecycle.deleted', announcement)])
    if (choose(2) === 0) steps.push([{ type: 'user.record_opened', data: { userId, openedAt: at } }])
    if (choose(3) === 0) steps.push([{ type: 'user.legal_hold_placed', data: { userId, holdId, matter: 'case/1', placedAt: at } }], [{ type: 'user.legal_hold_lifted', data: { userId, holdId, liftedAt: at } }])
    if (choose(2) === 0) steps.push([{ type: 'user.erasure_started', data: { userId, erasureId, startedAt: at } }], [{ type: 'account.purged', data: { userId, erasureId, purgedAt: at } }])
  }
  return steps.map((facts) => ({ stream, facts }))
}
