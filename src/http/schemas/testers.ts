// What the console's routes about testers take and give.
import { Type } from '@sinclair/typebox'
import { GhostState } from '../../domain/user/events.ts'
import { Accepted, closed, Cursor, DecimalString, FreeText, Id, Limit, Nullable, Page, Reason, ReasonCode, Ticket, Time } from './shared.ts'

const Email = () => Type.String({ minLength: 3, maxLength: 254, description: 'Kept sealed' })
const Name = () => FreeText(200, 'Kept sealed')
const EventType = () => Type.String({ maxLength: 64 })
const Stream = () => Type.String({ maxLength: 256 })

const EvidenceItem = Type.Object({ stream: Stream(), revision: DecimalString(), type: EventType(), occurred_at: Time() }, closed)

/** A verdict with all that it rests on. */
export const verdictFields = {
  state: GhostState,
  becomes_ghost_at: Type.Optional(Time()),
  rule: Type.String({ maxLength: 64 }),
  threshold_ms: Type.Integer({ minimum: 0, maximum: 86_400_000 }),
  evidence: Type.Array(EvidenceItem, { maxItems: 50 }),
  evaluated_at_position: DecimalString()
}

export const TesterParams = Type.Object({ tester_id: Id() }, closed)
export const InviteBody = Type.Object({ email: Email(), name: Type.Optional(Name()) }, closed)
export const MailedLinkAnswer = Accepted({
  tester_id: Id(), token_id: Id(), link_expires_at: Type.Optional(Time()), mail_id: Id(), mail: Type.Literal('requested')
})

export const ResetBody = Type.Object({
  reason: Reason(),
  reason_code: Type.Optional(ReasonCode()),
  ticket: Type.Optional(Ticket()),
  evaluated_at_position: Type.Optional(DecimalString())
}, closed)
export const ResetAnswerBody = Accepted({
  tester_id: Id(),
  reset_id: Id(),
  ...verdictFields,
  initiated_at: Time(),
  completed_at: Time(),
  fresh_token_id: Id(),
  fresh_user_id: Id(),
  link_expires_at: Time(),
  mail_id: Id(),
  mail: Type.Union([Type.Literal('sent'), Type.Literal('failed'), Type.Literal('pending')])
})

/** It destroys: the text is asked for, the word is not. */
export const DeleteTesterBody = Type.Object({ reason: Reason(), reason_code: Type.Optional(ReasonCode()), ticket: Type.Optional(Ticket()) }, closed)
export const DeletedTesterAnswer = Accepted({ tester_id: Id(), deleted_at: Time(), purge_after: Time() })

export const TesterQuery = Type.Object({
  ghost_state: Type.Optional(GhostState),
  email: Type.Optional(Type.String({ minLength: 3, maxLength: 254, description: 'The exact address' })),
  cursor: Type.Optional(Cursor()),
  limit: Type.Optional(Limit())
}, closed)

const testerFields = {
  tester_id: Id(),
  email: Nullable(Type.String({ maxLength: 254, description: 'null once it was erased, and without the right `persons.read`' })),
  name: Nullable(Type.String({ maxLength: 200, description: 'null likewise' })),
  origin: Type.Union([Type.Literal('invited'), Type.Literal('imported')]),
  invited_at: Time(),
  link: Type.Union([Type.Object({
    token_id: Id(), user_id: Id(), status: Type.Union([Type.Literal('unused'), Type.Literal('consumed')]),
    minted_at: Time(), expires_at: Nullable(Time()), opened_at: Nullable(Time())
  }, closed), Type.Null()]),
  mail: Type.Union([Type.Literal('requested'), Type.Literal('attempted'), Type.Literal('sent'), Type.Literal('failed'), Type.Null()]),
  ghost_state: Type.Union([GhostState, Type.Null()], { description: 'null while the link was not used, and where the account is deleted or more than a shell' }),
  becomes_ghost_at: Nullable(Time()),
  evaluated_at_position: Nullable(DecimalString()),
  open_reset_id: Nullable(Id()),
  completed_resets: Type.Integer({ minimum: 0, maximum: 1_000_000 })
}
export const TesterPage = Page({ ...testerFields, position: DecimalString(), revision: DecimalString() })
export const TesterAnswer = Accepted({
  ...testerFields,
  verdict: Type.Union([Type.Object(verdictFields, closed), Type.Null()]),
  timeline: Type.Array(Type.Object({
    position: DecimalString(), stream: Stream(), revision: DecimalString(), type: EventType(), occurred_at: Time(),
    actor: Type.Object({ type: Type.String({ maxLength: 16 }), id: Type.String({ maxLength: 128 }) }, closed), command_id: Type.String({ maxLength: 64 })
  }, closed), { maxItems: 500 })
})

const CsvTime = () => Type.String({ maxLength: 40 })
export const ImportBody = Type.Object({
  rows: Type.Array(Type.Object({
    line: Type.Optional(Type.Integer({ minimum: 1, maximum: 10_000_000, description: 'Where it stands in its file: errors name it' })),
    email: Type.String({ maxLength: 1000 }),
    invited_at: CsvTime(),
    token_consumed_at: Type.Optional(CsvTime()),
    user_created_at: Type.Optional(CsvTime()),
    passkeys: Type.Optional(Type.Union([Type.String({ maxLength: 20 }), Type.Integer()]))
  }, closed), { minItems: 1, maxItems: 100_000 })
}, closed)
const Rows = () => Type.Integer({ minimum: 0, maximum: 100_000 })
export const ImportAnswer = Type.Object({
  rows: Rows(), imported: Rows(), already_imported: Rows(),
  passkey_placeholders: Type.Integer({ minimum: 0, maximum: 100_000, description: 'Testers whose passkeys are placeholders: healthy, and unable to sign in here' }),
  position: DecimalString()
}, closed)
