// What an account may do, and what happened to it, as JSON shows it to the lobby, to operators and to the person.
import type { OwnEvent } from '../commands/users/look.ts'
import type { Sanction, Tariff } from '../domain/account/account.ts'
import { limitCodes, markers } from '../domain/account/catalogues.ts'
import type { Eligibility } from '../domain/account/eligibility.ts'
import { sanctionStateAt, type Act, type LimitRecord, type SanctionRecord } from '../domain/account/history.ts'
import type { Personal } from '../domain/personal.ts'
import type { Vault } from '../ports.ts'

export type OpenText = (sealed: Personal | undefined) => Promise<string | null>

/** Opens what is sealed for the account; null where there is nothing, it was erased, or the vault is closed to the caller. */
export const opener = (vault: Pick<Vault, 'open'>, userId: string): OpenText => async (sealed) => {
  if (sealed === undefined) return null
  const opened = await vault.open(sealed, `user-${userId}`)
  return opened.status === 'open' ? opened.text : null
}

/** Every marker with, where false, the sanction and the fact that made it so (none where the account is deleted); the limits in force. */
export const eligibilityItem = ({ markers: verdicts, limits }: Eligibility) => ({
  eligibility: Object.fromEntries(markers.map((marker) => {
    const verdict = verdicts[marker]
    return [marker, verdict.allowed ? { allowed: true } : { allowed: false, ...verdict.because !== undefined && { because: becauseItem(verdict.because) } }]
  })),
  limits: Object.fromEntries(limitCodes.map((code) => {
    const { value, cause } = limits[code]
    return [code, { value, ...cause !== undefined && { cause: { event_id: cause.eventId, revision: String(cause.revision) } } }]
  }))
})

const becauseItem = ({ sanctionId, code, scope, reasonCode, startsAt, expiresAt, cause }: Sanction) => ({
  sanction_id: sanctionId,
  code,
  scope,
  ...reasonCode !== undefined && { reason_code: reasonCode },
  starts_at: startsAt,
  ...expiresAt !== undefined && { expires_at: expiresAt },
  event_id: cause.eventId,
  revision: String(cause.revision)
})

export const tariffItem = ({ code, since, until }: Tariff) => ({ code, since, until: until ?? null })

type OwnSanction = Pick<Sanction, 'sanctionId' | 'code' | 'scope' | 'startsAt'> & { expiresAt?: string | undefined, reasonCode?: string | undefined, publicNote?: Personal | undefined }

/** A sanction as the person is told of it: no internal note, no evidence, nobody's id. */
export const ownSanctionItem = async (sanction: OwnSanction, open: OpenText) => ({
  sanction_id: sanction.sanctionId,
  code: sanction.code,
  scope: sanction.scope,
  starts_at: sanction.startsAt,
  expires_at: sanction.expiresAt ?? null,
  reason_code: sanction.reasonCode ?? null,
  public_note: await open(sanction.publicNote)
})

/** One fact of the person's history, in the person's own view. */
export const ownFactItem = async (event: OwnEvent, open: OpenText) => {
  const { type, position, revision, metadata: { occurredAt, actor } } = event
  const item = {
    type,
    occurred_at: occurredAt,
    position: String(position),
    revision: String(revision),
    by: actor.type === 'person' && actor.id === event.data.userId ? 'you' as const : 'service' as const
  }
  switch (event.type) {
    case 'user.profile_updated': {
      const { userName, displayName, displayNameRemoved } = event.data
      return {
        ...item,
        changed: [...userName === undefined ? [] : ['user_name'], ...displayName === undefined && displayNameRemoved === undefined ? [] : ['display_name']]
      }
    }
    case 'user.settings_updated': {
      const { preferredLanguage, timeZone } = event.data
      return { ...item, changed: [...preferredLanguage === undefined ? [] : ['preferred_language'], ...timeZone === undefined ? [] : ['time_zone']] }
    }
    case 'user.sanction_applied': return { ...item, sanction: await ownSanctionItem({ ...event.data, reasonCode: event.metadata.reasonCode }, open) }
    case 'user.sanction_removed': return { ...item, sanction_id: event.data.sanctionId }
    case 'user.limit_set': return { ...item, limit: { code: event.data.code, value: event.data.value } }
    case 'user.limit_removed': return { ...item, limit: { code: event.data.code, value: null } }
    case 'user.tariff_set': {
      const { code, since, until } = event.data
      return { ...item, tariff: { code, since, until: until ?? null } }
    }
    case 'user.created':
    case 'user.imported':
    case 'user.registered':
    case 'user.passkey_registered': return item
  }
}

/** A sanction with all that operators know of it. */
export const sanctionItem = async (record: SanctionRecord, open: OpenText, now: Date) => ({
  sanction_id: record.sanctionId,
  code: record.code,
  scope: record.scope,
  state: sanctionStateAt(record, now),
  starts_at: record.startsAt,
  expires_at: record.expiresAt ?? null,
  public_note: await open(record.publicNote),
  internal_note: await open(record.internalNote),
  evidence: await open(record.evidence),
  applied: await actItem(record.applied, open),
  removed: record.removed === undefined ? null : await actItem(record.removed, open)
})

export const limitItem = async ({ code, value, set, ended }: LimitRecord, open: OpenText) => ({
  code, value, set: await actItem(set, open), ended: ended === undefined ? null : await actItem(ended, open)
})

export const actItem = async ({ at, actor, source, reasonCode, ticket, reason }: Act, open: OpenText) => ({
  at, actor: { type: actor.type, id: actor.id }, source: source ?? null, reason_code: reasonCode ?? null, ticket: ticket ?? null, reason: await open(reason)
})
