// What the routes about legal holds take and give.
import { Type } from '@sinclair/typebox'
import { Act } from './sanctions.ts'
import { TesterParams } from './testers.ts'
import { Accepted, closed, DecimalString, Id, Reason, ReasonCode, Ticket, Time } from './shared.ts'

export { TesterParams }
export const UserParams = Type.Object({ user_id: Id() }, closed)
export const UserHoldParams = Type.Object({ user_id: Id(), hold_id: Id() }, closed)
export const TesterHoldParams = Type.Object({ tester_id: Id(), hold_id: Id() }, closed)

const Matter = () => Type.String({ pattern: '^[A-Za-z0-9#/_.:-]+$', minLength: 1, maxLength: 64, description: 'Names the matter; stays readable after the erasure, so nothing personal' })

export const PlaceBody = Type.Object({
  reason: Reason(), reason_code: ReasonCode(), matter: Matter(), ticket: Type.Optional(Ticket()),
  until: Type.Optional(Type.Unsafe<string>({ ...Time(), description: 'Ends by itself then; without it, when it is lifted' }))
}, closed)
export const LiftBody = Type.Object({ reason: Reason(), reason_code: ReasonCode(), ticket: Type.Optional(Ticket()) }, closed)

export const UserHoldAccepted = Accepted({ user_id: Id(), hold_id: Id() })
export const TesterHoldAccepted = Accepted({ tester_id: Id(), hold_id: Id() })

const holds = {
  stage: Type.Union(['live', 'deleted', 'erasing', 'purged'].map((stage) => Type.Literal(stage)), { description: 'How far the record is on its way out' }),
  deleted_at: Type.Union([Time(), Type.Null()]),
  purge_after: Type.Union([Time(), Type.Null()], { description: 'End of the cooling period' }),
  items: Type.Array(Type.Object({
    hold_id: Id(), matter: Matter(), until: Type.Union([Time(), Type.Null()]), in_force: Type.Boolean(), placed: Act, lifted: Type.Union([Act, Type.Null()])
  }, closed), { maxItems: 10_000, description: 'All that were ever placed, in that order; reasons only while the record is live' })
}
const at = { position: DecimalString(), revision: DecimalString() }
export const UserHolds = Type.Object({ user_id: Id(), ...holds, ...at }, closed)
export const TesterHolds = Type.Object({ tester_id: Id(), ...holds, ...at }, closed)
