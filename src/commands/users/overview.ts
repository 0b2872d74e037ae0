// What an admin sees of accounts: pages from the read model, and one account's facts from its stream.
import type { LogEvent } from '../../domain/catalogue.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { UserFilter, UserQueries, UserRow } from '../../account-queries.ts'
import { findRecord, opened, personaOf, type Found, type Opening, type Persona, type RecordDeps, type RecordRequest } from './record.ts'

export type OverviewDeps = RecordDeps & { users: UserQueries }

export type Direction = 'forwards' | 'backwards'
export interface PageRequest { after?: bigint, limit: number, direction: Direction }

export interface AccountItem { row: UserRow, persona: Persona }

/** Rows of a page that may hold deleted accounts: each of them costs a fact. */
const MAX_OPENED = 100

/**
 * A page of accounts. With `opening`, deleted ones are among them, and for each of these that is not erased a
 * `user.record_opened` is appended before the page is given out.
 */
export const listAccounts = async (
  deps: OverviewDeps, filter: Omit<UserFilter, 'includeDeleted'>, page: PageRequest, opening?: Opening
): Promise<{ items: AccountItem[], next: bigint | null }> => {
  const limit = opening === undefined ? page.limit : Math.min(page.limit, MAX_OPENED)
  const rows = await deps.users.page({ ...filter, includeDeleted: opening !== undefined }, { ...page, limit: limit + 1, now: deps.clock.now() })
  const shown = rows.slice(0, limit)
  const items = await Promise.all(shown.map(async (row): Promise<AccountItem> => {
    const stage = row.purgedAt !== null ? 'purged' : row.deletedAt === null ? 'live' : (await opened(deps, row.userId, opening)).user.account.life.stage
    return { row, persona: await personaOf(deps.vault, row.userId, row, stage) }
  }))
  return { items, next: rows.length > limit ? shown.at(-1)?.firstPosition ?? null : null }
}

export type AccountView = Found & { persona: Persona }

/** One account with all that its stream says. Refuses as `findRecord`. */
export const showAccount = async (deps: RecordDeps, userId: string, request: RecordRequest): Promise<AccountView> => {
  const found = await findRecord(deps, userId, request)
  const { email, account: { userName, displayName } } = found.user
  return { ...found, persona: await personaOf(deps.vault, userId, { email, userName, displayName }, found.stage) }
}

/**
 * A page of the account's facts up to the moment asked about, by their revisions; `after` is the revision of the last one
 * of the page before. Refuses as `findRecord`.
 */
export const accountTimeline = async (
  deps: RecordDeps, userId: string, request: RecordRequest, { after, limit, direction }: PageRequest
): Promise<Found & { facts: LogEvent[], next: bigint | null }> => {
  const found = await findRecord(deps, userId, request)
  const last = found.revision === 'no_stream' ? -1n : found.revision
  const from = after === undefined ? (direction === 'forwards' ? 0n : last) : direction === 'forwards' ? after + 1n : after - 1n
  const facts: LogEvent[] = []
  if (from >= 0n && from <= last) {
    for await (const event of deps.events.readStream(`${userAggregate.category}-${userId}`, { from, direction, limit: limit + 1 })) {
      if (event.revision <= last) facts.push(event)
    }
  }
  const shown = facts.slice(0, limit)
  return { ...found, facts: shown, next: facts.length > limit ? shown.at(-1)?.revision ?? null : null }
}
