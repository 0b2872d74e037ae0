// Judges callers from the principals' streams and the roster: what was revoked a moment ago, anywhere, is refused now.
import { LRUCache } from 'lru-cache'
import { streamName, type Category } from '../../domain/catalogue.ts'
import { isUsable, principalAggregate, type Principal } from '../../domain/principal/principal.ts'
import { allows, type Permission, type Role } from '../../domain/principal/roles.ts'
import { ROSTER, rosterAggregate, type Roster } from '../../domain/principal/roster.ts'
import type { Clock, EventStore, Ids, ProcessLock } from '../../ports.ts'
import type { Aggregate } from '../aggregate.ts'
import type { Aggregates } from '../execute.ts'
import { matches, parseToken, type TokenParts } from '../tokens/token.ts'
import type { Access, Caller, Verdict } from './access.ts'
import { noteRefusal } from './refusals.ts'

export interface AccessDeps {
  aggregates: Aggregates
  events: EventStore
  lock: ProcessLock
  clock: Clock
  ids: Ids
  /** Told when a refusal could not be entered; the 403 is answered all the same (decision 8). */
  onUnnoted?: (error: unknown) => void
}

/**
 * The Access of this program. Only where a single process proves that nobody else appends is a cached state believed;
 * else each request reads the tail of the principal's stream, and the roster's where it matters.
 */
export const createAccess = (deps: AccessDeps): Access => {
  const { aggregates, lock, clock } = deps
  /** Who was superadmin when last looked: only a hint to read the roster beside the principal instead of after him. */
  let hint: Roster | undefined
  const noted = new LRUCache<string, true>({ max: 10_000, ttl: 60_000 })

  /** Streams read while this process was proven to be alone, by the epoch of that proof: only those need no further look. */
  const seenAlone = new LRUCache<string, number>({ max: 100_000 })

  const load = async <State, C extends Category>(aggregate: Aggregate<State, C>, id: string): Promise<State> => {
    const { epoch } = lock
    const alone = lock.mode === 'single' && lock.proven()
    const stream = streamName(aggregate.category, id)
    if (alone && seenAlone.get(stream) === epoch) return (await aggregates.cached(aggregate, id)).state
    const { state } = await aggregates.current(aggregate, id)
    if (alone) seenAlone.set(stream, epoch)
    return state
  }
  const roster = async (): Promise<Roster> => {
    hint = await load(rosterAggregate, ROSTER)
    return hint
  }

  return {
    judge: async (token, permission) => {
      const parts = token === undefined ? undefined : parseToken(token)
      if (token === undefined || parts === undefined) return { outcome: 'unauthenticated' }
      const early = permission === undefined || hint === undefined || hint.superadmins.has(parts.principalId)
      const [principal, read] = await Promise.all([load(principalAggregate, parts.principalId), early ? roster() : undefined])
      const caller = accepted(principal, token, parts, clock.now())
      if (caller === undefined) return { outcome: 'unauthenticated' }
      return verdict(caller, permission, read ?? (needsRoster(caller, permission) ? await roster() : rosterAggregate.initial))
    },
    noteRefusal: async (refusal) => {
      const key = `${refusal.caller.principalId} ${refusal.permission}`
      if (noted.has(key)) return
      noted.set(key, true)
      try {
        await noteRefusal(deps, refusal)
      } catch (error) {
        noted.delete(key)
        deps.onUnnoted?.(error)
      }
    }
  }
}

const accepted = (principal: Principal, token: string, parts: TokenParts, at: Date): Caller | undefined => {
  if (principal.status === 'absent') return undefined
  const kept = principal.tokens.get(parts.tokenId)
  if (kept === undefined || !matches(token, kept.sha256) || !isUsable(kept, at)) return undefined
  return { principalId: parts.principalId, kind: principal.kind, tokenId: parts.tokenId, roles: principal.roles }
}

const needsRoster = (caller: Caller, permission: Permission | undefined): boolean =>
  permission === undefined || !allows(caller.roles, permission)

const verdict = (known: Caller, permission: Permission | undefined, { superadmins }: Roster): Verdict => {
  const roles = superadmins.has(known.principalId) ? new Set<Role>([...known.roles, 'superadmin']) : known.roles
  const caller = { ...known, roles }
  return { outcome: permission === undefined || allows(roles, permission) ? 'allowed' : 'forbidden', caller }
}
