// What the admin's reads of accounts take and give: pages, one account, its timeline.
import { Type, type TObject } from '@sinclair/typebox'
import { LanguageTag, LimitCode, limitCodes, SanctionCode, SanctionScope, TimeZone } from '../../domain/account/catalogues.ts'
import { Accepted, AsOfParameter, AsOfPlace, closed, Cursor, DecimalString, Id, Limit, Nullable, Page, Reason, ReasonCode, Ticket, Time } from './shared.ts'
import { Limits, Markers, UserParams } from './users.ts'

export { UserParams }

const Word = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64 })
const Direction = () => Type.Union([Type.Literal('forwards'), Type.Literal('backwards')], { description: 'Default: backwards, the newest first' })

/** `include_deleted=true` shows deleted accounts as well: it needs a reason, and each one shown gets a fact that says so. */
const opening = {
  include_deleted: Type.Optional(Type.Union([Type.Literal('true'), Type.Literal('false')], { description: 'Deleted accounts as well: needs the right `accounts.open_deleted` and a reason' })),
  reason: Type.Optional(Reason(500, 'Why a deleted account is looked at; recorded, sealed, in its stream')),
  ticket: Type.Optional(Ticket())
}

export const UsersQuery = Type.Object({
  email: Type.Optional(Type.String({ minLength: 3, maxLength: 254, description: 'The exact address' })),
  user_name: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'The exact user name' })),
  tester_id: Type.Optional(Id()),
  sanction: Type.Optional(SanctionCode),
  limit_code: Type.Optional(LimitCode),
  limit_value: Type.Optional(Type.String({ pattern: '^(0|[1-9]\\d{0,6})$', maxLength: 7, description: 'With limit_code: set to exactly this' })),
  tariff: Type.Optional(Word()),
  created_from: Type.Optional(Time()),
  created_to: Type.Optional(Time()),
  direction: Type.Optional(Direction()),
  ...opening,
  cursor: Type.Optional(Cursor()),
  limit: Type.Optional(Limit())
}, closed)

const AsOfQuery = { as_of: Type.Optional(AsOfParameter()), ...opening }
export const UserQuery = Type.Object(AsOfQuery, closed)
export const TimelineQuery = Type.Object({
  ...AsOfQuery, direction: Type.Optional(Direction()), cursor: Type.Optional(Cursor()), limit: Type.Optional(Limit())
}, closed)

const PersonText = (maxLength: number, description = 'null likewise') => Nullable(Type.String({ maxLength, description }))
const LimitValue = () => Type.Integer({ minimum: 0, maximum: 1_000_000 })
const Count = () => Type.Integer({ minimum: 0, maximum: 1_000_000 })

const SanctionItem = Type.Object({
  sanction_id: Id(), code: SanctionCode, scope: SanctionScope(), state: Type.Union([Type.Literal('active'), Type.Literal('scheduled')]),
  starts_at: Time(), expires_at: Nullable(Time())
}, closed)
const TariffItem = Type.Object({ code: Word(), since: Time(), until: Nullable(Time()) }, closed)

const account = {
  user_id: Id(),
  tester_id: Nullable(Id()),
  email: PersonText(254, 'null once it was erased, and without the right `persons.read`'),
  user_name: PersonText(128),
  display_name: PersonText(256),
  preferred_language: Nullable(LanguageTag()),
  time_zone: Nullable(TimeZone()),
  created_at: Time(),
  credentials: Count(),
  tariff: Nullable(TariffItem),
  sanctions: Type.Array(SanctionItem, { maxItems: 10_000, description: 'Those that count or are still to begin' }),
  deleted_at: Nullable(Time()),
  purge_after: Nullable(Time()),
  erased: Type.Boolean({ description: 'True once nobody can read the person any more' })
}

export const UserPage = Page({
  ...account,
  limits: Type.Partial(Type.Object(Object.fromEntries(limitCodes.map((code) => [code, LimitValue()])), closed), { description: 'Those that were set; the others have their defaults' }),
  position: DecimalString(),
  revision: DecimalString()
})

/** A limit as it is in force, and since when it is not the default. */
const LimitItem = Type.Composite([Limits.properties['max_registered_race_names'] as TObject, Type.Object({ set_at: Nullable(Time()) })], closed)

export const UserAnswer = Accepted({
  ...account,
  stage: Type.Union((['live', 'deleted', 'erasing', 'purged'] as const).map((stage) => Type.Literal(stage)), { description: 'Where its life stands now, whatever moment is asked about' }),
  purged_at: Nullable(Time()),
  eligibility: Markers,
  limits: Type.Object(Object.fromEntries(limitCodes.map((code) => [code, LimitItem])), closed),
  legal_holds: Type.Integer({ minimum: 0, maximum: 1_000_000, description: 'How many are in force' }),
  as_of: AsOfPlace()
})

export const TimelinePage = Type.Object({
  user_id: Id(),
  as_of: AsOfPlace(),
  ...Page({
    position: DecimalString(),
    revision: DecimalString(),
    event_id: Type.String({ maxLength: 64 }),
    type: Type.String({ maxLength: 64 }),
    occurred_at: Time(),
    recorded_at: Time(),
    actor: Type.Object({ type: Type.String({ maxLength: 16 }), id: Type.String({ maxLength: 128 }) }, closed),
    source: Type.Optional(Type.String({ maxLength: 128 })),
    reason_code: Type.Optional(ReasonCode()),
    ticket: Type.Optional(Ticket()),
    command_id: Type.String({ maxLength: 64 })
  }).properties
}, closed)
