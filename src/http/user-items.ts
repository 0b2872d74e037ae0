// Accounts and their facts as JSON shows them to admins.
import type { AccountItem, AccountView } from '../commands/users/overview.ts'
import type { Persona } from '../commands/users/record.ts'
import type { Cause } from '../domain/account/account.ts'
import { limitCodes, markers } from '../domain/account/catalogues.ts'
import { eligibilityOf, isActive } from '../domain/account/eligibility.ts'
import { isInForce } from '../domain/account/legal-hold.ts'
import type { LogEvent } from '../domain/catalogue.ts'
import { credentialCount } from '../domain/user/user.ts'

const personaItem = ({ email, userName, displayName }: Persona) => ({ email, user_name: userName, display_name: displayName })

const causeItem = ({ eventId, revision }: Cause) => ({ event_id: eventId, revision: String(revision) })

/** What ran out by the clock is neither active nor to come: it is left to the history. */
const statusOf = (sanction: { startsAt: string, expiresAt?: string }, at: Date): 'active' | 'scheduled' | undefined =>
  isActive(sanction, at) ? 'active' : Date.parse(sanction.startsAt) > at.getTime() ? 'scheduled' : undefined

export const listedAccount = ({ row, persona }: AccountItem, now: Date) => ({
  user_id: row.userId,
  tester_id: row.testerId,
  ...personaItem(persona),
  preferred_language: row.preferredLanguage,
  time_zone: row.timeZone,
  created_at: row.createdAt,
  credentials: row.credentialCount,
  tariff: row.tariff === null || row.tariffSince === null ? null : { code: row.tariff, since: row.tariffSince, until: row.tariffUntil },
  sanctions: row.sanctions.flatMap((sanction) => {
    const status = statusOf({ startsAt: sanction.starts_at, ...sanction.expires_at !== null && { expiresAt: sanction.expires_at } }, now)
    return status === undefined ? [] : [{ ...sanction, status }]
  }),
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
  const eligibility = eligibilityOf(account, at)
  return {
    user_id: user.userId,
    tester_id: user.testerId ?? null,
    ...personaItem(persona),
    preferred_language: account.preferredLanguage ?? null,
    time_zone: account.timeZone ?? null,
    created_at: user.created.at,
    credentials: credentialCount(user.credentials),
    tariff: tariff === undefined ? null : { code: tariff.code, since: tariff.since, until: tariff.until ?? null },
    sanctions: sanctions.flatMap((sanction) => {
      const status = statusOf(sanction, at)
      const { sanctionId, code, scope, startsAt, expiresAt } = sanction
      return status === undefined ? [] : [{ sanction_id: sanctionId, code, scope, status, starts_at: startsAt, expires_at: expiresAt ?? null }]
    }),
    stage,
    deleted_at: life.stage === 'live' ? null : life.deletedAt,
    purge_after: life.stage === 'live' ? null : life.purgeAfter,
    purged_at: life.stage === 'purged' ? life.purgedAt : null,
    erased: stage === 'purged',
    eligibility: Object.fromEntries(markers.map((marker) => {
      const verdict = eligibility.markers[marker]
      if (verdict.allowed) return [marker, { allowed: true }]
      const { sanctionId, code, scope, cause } = verdict.because
      return [marker, { allowed: false, because: { sanction_id: sanctionId, code, scope, ...causeItem(cause) } }]
    })),
    limits: Object.fromEntries(limitCodes.map((code) => {
      const { value, cause } = eligibility.limits[code]
      return [code, { value, set_at: account.limits[code]?.setAt ?? null, ...cause !== undefined && { cause: causeItem(cause) } }]
    })),
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
