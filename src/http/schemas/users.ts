// What the account surfaces take and give: auth, self-service, the lobby's eligibility, and the trusted deletion (seed 003).
import { Type } from '@sinclair/typebox'
import { LanguageTag, limitCodes, LimitCode, markers, SanctionCode, SanctionScope, TimeZone } from '../../domain/account/catalogues.ts'
import { Accepted, AsOfParameter, closed, Cursor, DecimalString, Id, Limit, Nullable, Reason, ReasonCode, Ticket, Time } from './shared.ts'

const Email = () => Type.String({ minLength: 3, maxLength: 254, description: 'Kept sealed; compared after NFC, trimming, lower case and IDNA' })
const BlockedCode = Type.Union([Type.Literal('account_deleted'), Type.Literal('permanent_block'), Type.Literal('login_block')])

export const UserParams = Type.Object({ user_id: Id() }, closed)

export const ResolveBody = Type.Object({ email: Email() }, closed)
export const ResolveAnswer = Type.Object({
  outcome: Type.Union([Type.Literal('existing'), Type.Literal('creatable'), Type.Literal('blocked')]),
  user_id: Type.Optional(Id()),
  reason_code: Type.Optional(BlockedCode)
}, closed)
export const EnsureBody = Type.Object({
  email: Email(), preferred_language: Type.Optional(LanguageTag()), time_zone: Type.Optional(TimeZone())
}, closed)
export const EnsureAnswer = Accepted({
  outcome: Type.Union([Type.Literal('existing'), Type.Literal('created'), Type.Literal('blocked')]),
  user_id: Type.Optional(Id()),
  reason_code: Type.Optional(BlockedCode)
})

const UserName = () => Type.String({ maxLength: 64, description: '3 to 32 letters, digits, _, - and .' })
const DisplayName = () => Type.String({ maxLength: 256, description: '1 to 64 characters' })
export const SelfBody = Type.Object({
  profile: Type.Optional(Type.Object({
    user_name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: '3 to 32 letters, digits, _, - and ., beginning with a letter or digit; unique whatever its case' })),
    display_name: Type.Optional(Type.Union([Type.String({ minLength: 1, maxLength: 256, description: '1 to 64 characters' }), Type.Null()]))
  }, { ...closed, minProperties: 1 })),
  settings: Type.Optional(Type.Object({
    preferred_language: Type.Optional(LanguageTag()), time_zone: Type.Optional(TimeZone())
  }, { ...closed, minProperties: 1 }))
}, { ...closed, minProperties: 1 })
export const SelfUpdatedAnswer = Accepted({ user_id: Id(), changed: Type.Boolean({ description: 'false: all of it was so already' }) })

const tariff = { code: ReasonCode(), since: Time(), until: Nullable(Time()) }
const ownSanction = {
  sanction_id: Id(), code: SanctionCode, scope: SanctionScope(), starts_at: Time(), expires_at: Nullable(Time()),
  reason_code: Nullable(ReasonCode()), public_note: Nullable(Type.String({ maxLength: 2000 }))
}
const EventPlace = { event_id: Id(), revision: DecimalString() }
const LimitItem = Type.Object({ value: Type.Integer(), cause: Type.Optional(Type.Object(EventPlace, closed)) }, closed)
export const Limits = Type.Object(Object.fromEntries(limitCodes.map((code) => [code, LimitItem])), closed)
const Verdict = Type.Object({
  allowed: Type.Boolean(),
  because: Type.Optional(Type.Object({
    sanction_id: Id(), code: SanctionCode, scope: SanctionScope(), reason_code: Type.Optional(ReasonCode()),
    starts_at: Time(), expires_at: Type.Optional(Time()), ...EventPlace
  }, closed))
}, closed)
export const Markers = Type.Object(Object.fromEntries(markers.map((marker) => [marker, Verdict])), closed)

export const SelfAnswer = Accepted({
  user_id: Id(),
  email: Nullable(Type.String({ maxLength: 254 })),
  profile: Type.Object({ user_name: Nullable(UserName()), display_name: Nullable(DisplayName()) }, closed),
  settings: Type.Object({ preferred_language: Nullable(LanguageTag()), time_zone: Nullable(TimeZone()) }, closed),
  tariff: Type.Union([Type.Object(tariff, closed), Type.Null()]),
  sanctions: Type.Array(Type.Object(ownSanction, closed), { maxItems: 1000 }),
  eligibility: Markers,
  limits: Limits,
  created_at: Time()
})
export const HistoryQuery = Type.Object({ cursor: Type.Optional(Cursor()), limit: Type.Optional(Limit()) }, closed)
export const HistoryAnswer = Type.Object({
  items: Type.Array(Type.Object({
    type: Type.String({ maxLength: 64 }),
    occurred_at: Time(),
    position: DecimalString(),
    revision: DecimalString(),
    by: Type.Union([Type.Literal('you'), Type.Literal('service')]),
    changed: Type.Optional(Type.Array(Type.String({ maxLength: 32 }), { maxItems: 8 })),
    sanction: Type.Optional(Type.Object(ownSanction, closed)),
    sanction_id: Type.Optional(Id()),
    limit: Type.Optional(Type.Object({ code: LimitCode, value: Type.Union([Type.Integer(), Type.Null()]) }, closed)),
    tariff: Type.Optional(Type.Object(tariff, closed))
  }, closed), { maxItems: 1000 }),
  next_cursor: Nullable(Cursor())
}, closed)

export const EligibilityQuery = Type.Object({
  game_id: Type.Optional(Type.String({ pattern: '^[A-Za-z0-9_-]+$', minLength: 1, maxLength: 64, description: 'Sanctions on this game count as well' })),
  as_of: Type.Optional(AsOfParameter())
}, closed)
export const EligibilityAnswer = Type.Object({
  user_id: Id(), eligibility: Markers, limits: Limits, evaluated_at: Time(), evaluated_at_position: DecimalString(), revision: DecimalString()
}, closed)

export const DeleteUserBody = Type.Object({
  reason_code: ReasonCode(),
  reason: Type.Optional(Reason()),
  ticket: Type.Optional(Ticket()),
  actor: Type.Optional(Type.Object({
    type: Type.Union([Type.Literal('principal'), Type.Literal('person'), Type.Literal('system')]),
    id: Type.String({ minLength: 1, maxLength: 64, pattern: '^[A-Za-z0-9._:-]+$' })
  }, { ...closed, description: 'Who decided it, where that is not the caller' }))
}, closed)
export const DeletedUserAnswer = Accepted({ user_id: Id(), deleted_at: Time(), purge_after: Time() })
