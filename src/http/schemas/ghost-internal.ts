// What the accounts side's internal routes take and give: the protocol between console and accounts (seed 000).
import { Type } from '@sinclair/typebox'
import { Accepted, closed, DecimalString, Id, Reason, ReasonCode, Ticket, Time } from './shared.ts'
import { verdictFields } from './testers.ts'

const check = { tester_id: Id(), user_id: Id(), link_opened_at: Time() }

export const CheckBody = Type.Object(check, closed)
export const ChecksBody = Type.Object({ accounts: Type.Array(CheckBody, { minItems: 1, maxItems: 200 }), proven: Type.Optional(Type.Boolean({ description: 'Judge nothing older than what the accounts\' streams hold now, or answer 503 projection_behind' })) }, closed)
export const VerdictAnswer = Type.Object({ ...verdictFields, account_position: DecimalString() }, closed)
export const VerdictsAnswer = Type.Object({ verdicts: Type.Array(Type.Union([VerdictAnswer, Type.Null()]), { maxItems: 200, description: 'null: no verdict is to be had, since the account is deleted, more than a shell, or of somebody else' }) }, closed)

export const DeleteBody = Type.Object({
  ...check,
  reset_id: Type.Optional(Id()),
  initiated_at: Type.Optional(Time()),
  address_hash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', maxLength: 64, description: 'Keyed hash of the tester\'s address: freed if this account claimed it and was never made' })),
  evaluated_at_position: Type.Optional(DecimalString()),
  reason: Type.Optional(Reason()),
  reason_code: Type.Optional(ReasonCode()),
  ticket: Type.Optional(Ticket()),
  correlation_id: Type.Optional(Id()),
  actor: Type.Optional(Type.Object({
    type: Type.Union([Type.Literal('principal'), Type.Literal('person'), Type.Literal('system')]),
    id: Type.String({ minLength: 1, maxLength: 128, pattern: '^[A-Za-z0-9._:-]+$' })
  }, closed))
}, closed)
export const DeleteAnswer = Accepted({
  user_id: Id(),
  reset_id: Id(),
  state: Type.Union([Type.Literal('ghost_no_users_row'), Type.Literal('ghost_empty_shell')]),
  replayed: Type.Boolean({ description: 'The account had been deleted before' })
})
