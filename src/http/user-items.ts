// Accounts and their facts as JSON shows them to admins.
import type { AccountItem, AccountView } from '../commands/users/overview.ts'
import type { Persona } from '../commands/users/record.ts'
import type { Sanction } from '../domain/account/account.ts'
import type { LimitCode } from '../domain/account/catalogues.ts'
import { eligibilityOf } from '../domain/account/eligibility.ts'
import { sanctionStateAt } from '../domain/account/history.ts'
import { isInForce } from '../domain/account/legal-hold.ts'
import type { LogEvent } from '../domain/catalogue.ts'
import { credentialCount } from '../domain/user/user.ts'
import { eligibilityItem, tariffItem } from './account-items.ts'

const personaItem = ({ email, userName, displayName }: Persona) => ({ email, user_name: userName, display_name: displayName })

type Standing = Pick<Sanction, 'sanctionId' | 'code' | 'scope' | 'startsAt' | 'atOnce' | 'expiresAt'>

/** What ran out by the clock is neither active nor to come: it is left to the history. */
const sanctionItems = (sanctions: readonly Standing[], at: Date) => sanctions.flatMap((sanction) => {
  const { sanctionId, code, scope, startsAt, expiresAt } = sanction
  const state = sanctionStateAt(sanction, at)
  return state === 'active' || state === 'scheduled' ? [{ sanction_id: sanctionId, code, scope, state, starts_at: startsAt, expires_at: expiresAt ?? null }] : []
})

const inRow = (sanction: AccountItem['row']['sanctions'][number]): Standing => ({
  sanctionId: sanction.sanction_id, code: sanction.code, scope: sanction.scope, startsAt: sanction.starts_at, atOnce: sanction.at_once,
  ...sanction.expires_at !== null && { expiresAt: sanction.expires_at }
})

export const listedAccount = ({ row, persona }: AccountItem, now: Date) => ({
  user_id: row.userId,
  tester_id: row.testerId,
  ...personaItem(persona),
  preferred_language: row.preferredLanguage,
  time_zone: row.timeZone,
  created_at: row.createdAt,
  credentials: row.credentialCount,
  tariff: row.tariff === null || row.tariffSince === null ? null : { code: row.tariff, since: row.tariffSince, until: row.tariffUntil },
  sanctions: sanctionItems(row.sanctions.map(inRow), now),
  limits: row.limits,
  deleted_at: row.deletedAt,
  purge_after: row.purgeAfter,
  erased: row.purgedAt !== null,
  position: String(row.position),
  revision: String(row.revision)
})

export const accountItem = ({ user, stage, persona, position, at }: AccountView) => {
  const { account } = user
  const { life, tariff, sanctions, holds } = account
  const { eligibility, limits } = eligibilityItem(eligibilityOf(account, at))
  return {
    user_id: user.userId,
    tester_id: user.testerId ?? null,
    ...personaItem(persona),
    preferred_language: account.preferredLanguage ?? null,
    time_zone: account.timeZone ?? null,
    created_at: user.created.at,
    credentials: credentialCount(user.credentials),
    tariff: tariff === undefined ? null : tariffItem(tariff),
    sanctions: sanctionItems(sanctions, at),
    stage,
    deleted_at: life.stage === 'live' ? null : life.deletedAt,
    purge_after: life.stage === 'live' ? null : life.purgeAfter,
    purged_at: life.stage === 'purged' ? life.purgedAt : null,
    erased: stage === 'purged',
    eligibility,
    limits: Object.fromEntries(Object.entries(limits).map(([code, limit]) => [code, { ...limit, set_at: account.limits[code as LimitCode]?.setAt ?? null }])),
    legal_holds: holds.filter((hold) => isInForce(hold, at)).length,
    as_of: { position: String(position), at: at.toISOString() }
  }
}

export const factItem = ({ position, revision, id, type, created, metadata: { occurredAt, actor, source, reasonCode, ticket, commandId } }: LogEvent) => ({
  position: String(position),
  revision: String(revision),
  event_id: id,
  type,
  occurred_at: occurredAt,
  recorded_at: created.toISOString(),
  actor: { type: actor.type, id: actor.id },
  ...source !== undefined && { source },
  ...reasonCode !== undefined && { reason_code: reasonCode },
  ...ticket !== undefined && { ticket },
  command_id: commandId
})
