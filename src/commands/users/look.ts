// Looks at a live account from its own stream: for the lobby, for operators' lists, and for the person (decision 29).
import { eligibilityOf, type Eligibility } from '../../domain/account/eligibility.ts'
import { limitHistory, sanctionHistory, type LimitRecord, type SanctionRecord } from '../../domain/account/history.ts'
import { live, refusePermanentlyBlocked, type PresentUser } from '../../domain/account/live.ts'
import { streamName, type LogEvent } from '../../domain/catalogue.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { EventStore, ExpectedRevision } from '../../ports.ts'
import { accountAsOf, type AsOf } from './as-of.ts'
import type { UserDeps } from './deps.ts'
import { withPublicNote } from './notes.ts'
import { readAccount } from './read.ts'

interface Place { revision: ExpectedRevision, position: bigint }

export type EligibilityAnswer = Eligibility & Place & { userId: string, evaluatedAt: Date }

/**
 * What the account may do, on the platform or in one game, now or at a moment that has passed.
 * Refuses with `subject_not_found`, `invalid_request` for a moment to come.
 */
export const eligibility = async (
  deps: Pick<UserDeps, 'aggregates'> & { events: Pick<EventStore, 'readStream' | 'at'> },
  { userId, gameId, asOf }: { userId: string, gameId?: string, asOf?: AsOf }, now: Date
): Promise<EligibilityAnswer> => {
  const scope = gameId === undefined ? 'platform' : `game:${gameId}`
  if (asOf !== undefined) {
    const { then, now: present, revision, position, at } = await accountAsOf(deps.events, userId, asOf, now)
    live(present)
    return { ...eligibilityOf(live(then).account, at, scope), userId, revision, position, evaluatedAt: at }
  }
  const { state, revision, position } = await deps.aggregates.current(userAggregate, userId)
  return { ...eligibilityOf(live(state).account, now, scope), userId, revision, position, evaluatedAt: now }
}

/** The account as the person may see it. Refuses with `subject_not_found`, `conflict` under a permanent block. */
export const selfView = async (deps: Pick<UserDeps, 'aggregates' | 'vault'>, userId: string, at: Date): Promise<Place & { user: PresentUser }> => {
  const { state, revision, position } = await deps.aggregates.current(userAggregate, userId)
  const user = live(state)
  try {
    refusePermanentlyBlocked(user.account, at)
  } catch (error) {
    throw await withPublicNote(deps, userId, error)
  }
  return { user, revision, position }
}

/** Facts that the person is shown. */
const ownTypes = [
  'user.created', 'user.imported', 'user.registered', 'user.passkey_registered', 'user.profile_updated', 'user.settings_updated',
  'user.sanction_applied', 'user.sanction_removed', 'user.limit_set', 'user.limit_removed', 'user.tariff_set'
] as const
export type OwnEvent = Extract<LogEvent, { type: (typeof ownTypes)[number] }>

const isOwn = (event: LogEvent): event is OwnEvent => (ownTypes as readonly string[]).includes(event.type)

export interface SelfHistory extends Place {
  /** Newest first. */
  events: OwnEvent[]
  /** Revision to go on before. */
  next: bigint | null
}

/** A page of the person's history, back from before a revision. Refuses as `selfView`. */
export const selfHistory = async (
  deps: Pick<UserDeps, 'aggregates' | 'vault' | 'events'>, { userId, before, limit }: { userId: string, before?: bigint, limit: number }, at: Date
): Promise<SelfHistory> => {
  const { revision, position } = await selfView(deps, userId, at)
  const events: OwnEvent[] = []
  let next: bigint | null = null
  const last = revision === 'no_stream' ? -1n : revision
  const from = before !== undefined && before <= last ? before - 1n : last
  if (from < 0n) return { events, next, revision, position }
  for await (const event of deps.events.readStream(streamName('user', userId), { from, direction: 'backwards' })) {
    if (!isOwn(event)) continue
    if (events.length === limit) {
      next = events.at(-1)?.revision ?? null
      break
    }
    events.push(event)
  }
  return { events, next, revision, position }
}

/** All sanctions of a live account, the removed and expired ones too. Refuses with `subject_not_found`. */
export const sanctionsOf = async (deps: Pick<UserDeps, 'events'>, userId: string): Promise<Place & { sanctions: SanctionRecord[] }> => {
  const { events, ...place } = await readLive(deps, userId)
  return { ...place, sanctions: sanctionHistory(events) }
}

/** The limits in force and all that the account ever had of its own. Refuses with `subject_not_found`. */
export const limitsOf = async (
  deps: Pick<UserDeps, 'events'>, userId: string, at: Date
): Promise<Place & { inForce: Eligibility['limits'], history: LimitRecord[] }> => {
  const { events, user, ...place } = await readLive(deps, userId)
  return { ...place, inForce: eligibilityOf(user.account, at).limits, history: limitHistory(events) }
}

const readLive = async ({ events: log }: Pick<UserDeps, 'events'>, userId: string) => {
  const { user, ...read } = await readAccount(log, userId)
  return { ...read, user: live(user) }
}
