// What the admin's routes about sanctions, limits and the tariff of an account take and give.
import { Type } from '@sinclair/typebox'
import { LimitCode, SanctionCode, SanctionScope } from '../../domain/account/catalogues.ts'
import { Accepted, closed, FreeText, Id, Nullable, Reason, ReasonCode, Ticket, Time } from './shared.ts'

const Text = (description: string) => FreeText(2000, description)
const Shown = () => Nullable(Type.String({ maxLength: 2000, description: 'null where there is none, once it was erased, and without the right `persons.read`' }))
const LimitValue = () => Type.Integer({ minimum: 0, maximum: 1_000_000 })
const TariffCode = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64 })

/** Why: a word, which stays readable, and free text, which is sealed. */
const why = { reason_code: ReasonCode(), reason: Type.Optional(Reason()), ticket: Type.Optional(Ticket()) }
export const Why = Type.Object(why, closed)

export const SanctionParams = Type.Object({ user_id: Id(), sanction_id: Id() }, closed)
export const LimitParams = Type.Object({ user_id: Id(), code: LimitCode }, closed)

export const ApplyBody = Type.Object({
  code: SanctionCode,
  scope: Type.Optional({ ...SanctionScope(), description: '`platform` (the default) or `game:{id}`' }),
  ...why,
  public_note: Type.Optional(Text('For the person; kept sealed')),
  internal_note: Type.Optional(Text('For operators; kept sealed')),
  evidence: Type.Optional(Text('For operators; kept sealed')),
  starts_at: Type.Optional(Time()),
  expires_at: Type.Optional(Time())
}, closed)
export const AppliedAnswer = Accepted({
  user_id: Id(), sanction_id: Id(), code: SanctionCode, scope: SanctionScope(), starts_at: Time(), expires_at: Nullable(Time())
})
export const RemovedAnswer = Accepted({ user_id: Id(), sanction_id: Id(), removed_at: Time() })

/** Somebody's act, as histories show it. */
export const Act = Type.Object({
  at: Time(),
  actor: Type.Object({ type: Type.String({ maxLength: 16 }), id: Type.String({ maxLength: 128 }) }, closed),
  source: Nullable(Type.String({ maxLength: 128 })),
  reason_code: Nullable(ReasonCode()),
  ticket: Nullable(Ticket()),
  reason: Shown()
}, closed)

export const SanctionsAnswer = Accepted({
  user_id: Id(),
  items: Type.Array(Type.Object({
    sanction_id: Id(),
    code: SanctionCode,
    scope: SanctionScope(),
    state: Type.Union([Type.Literal('scheduled'), Type.Literal('active'), Type.Literal('expired'), Type.Literal('removed')]),
    starts_at: Time(),
    expires_at: Nullable(Time()),
    public_note: Shown(),
    internal_note: Shown(),
    evidence: Shown(),
    applied: Act,
    removed: Type.Union([Act, Type.Null()])
  }, closed), { maxItems: 10_000, description: 'All that were ever applied, in that order' })
})

export const LimitBody = Type.Object({ code: LimitCode, value: LimitValue(), ...why }, closed)
export const LimitAnswer = Accepted({ user_id: Id(), code: LimitCode, value: Type.Union([LimitValue(), Type.Null()], { description: 'null: the default holds again' }) })
export const LimitsAnswer = Accepted({
  user_id: Id(),
  in_force: Type.Array(Type.Object({ code: LimitCode, value: LimitValue(), own: Type.Boolean({ description: 'false: the default of the catalogue' }) }, closed), { maxItems: 50 }),
  history: Type.Array(Type.Object({ code: LimitCode, value: LimitValue(), set: Act, ended: Type.Union([Act, Type.Null()]) }, closed), { maxItems: 10_000 })
})

export const TariffBody = Type.Object({ code: TariffCode(), since: Type.Optional(Time()), until: Type.Optional(Time()), ...why }, closed)
export const TariffAnswer = Accepted({ user_id: Id(), code: TariffCode(), since: Time(), until: Nullable(Time()) })
