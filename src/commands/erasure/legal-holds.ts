// Legal holds on accounts and testers: placing, lifting, and their history from the stream.
import { actOf, type Act } from '../../domain/account/history.ts'
import { isInForce, liftHold, placeHold, type HoldPlacing, type Kept } from '../../domain/account/legal-hold.ts'
import { onRecord } from '../../domain/account/live.ts'
import { liftTesterHold, placeTesterHold, testerOnRecord } from '../../domain/tester/legal-hold.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import { userAggregate } from '../../domain/user/user.ts'
import type { EventStore, ExpectedRevision, Ids } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface HoldDeps {
  aggregates: Aggregates
  events: Pick<EventStore, 'readStream'>
  ids: Pick<Ids, 'derive'>
}

/** Whose record: an account's or a tester's. */
export interface Held { kind: 'user' | 'tester', id: string }

interface Place { position: bigint, revision: ExpectedRevision }
export interface HoldReceipt extends Place { holdId: string }

export interface HoldRecord { holdId: string, matter: string, until?: string, placed: Act, lifted?: Act, inForce: boolean }
export interface HoldsOnRecord extends Place { life: Kept['life'], holds: HoldRecord[] }

/** Refuses with `subject_not_found`, `conflict` once the erasure began, `invalid_request` for an end that has passed. */
export const placeHoldOn = async (
  { aggregates, ids }: HoldDeps, { kind, id }: Held, { matter, until, ifMatch }: { matter: string, until?: string, ifMatch?: bigint }, context: CommandContext
): Promise<HoldReceipt> => {
  const holdId = ids.derive('hold', kind, id, context.commandId)
  const placing: HoldPlacing = { holdId, matter, at: context.at, ...until !== undefined && { until } }
  const common = { id, context, ...ifMatch !== undefined && { ifMatch } }
  const { position, revision } = kind === 'user'
    ? await aggregates.execute({ ...common, aggregate: userAggregate, decide: (user) => placeHold(user, placing) })
    : await aggregates.execute({ ...common, aggregate: testerAggregate, decide: (tester) => placeTesterHold(tester, placing) })
  return { holdId, position, revision }
}

/** Refuses with `subject_not_found`, `conflict` once the erasure began. */
export const liftHoldOn = async (
  { aggregates }: HoldDeps, { kind, id }: Held, { holdId, ifMatch }: { holdId: string, ifMatch?: bigint }, context: CommandContext
): Promise<HoldReceipt> => {
  const common = { id, context, ...ifMatch !== undefined && { ifMatch } }
  const { position, revision } = kind === 'user'
    ? await aggregates.execute({ ...common, aggregate: userAggregate, decide: (user) => liftHold(user, holdId, context.at) })
    : await aggregates.execute({ ...common, aggregate: testerAggregate, decide: (tester) => liftTesterHold(tester, holdId, context.at) })
  return { holdId, position, revision }
}

/** All holds there ever were, the oldest first, also of a deleted record (decision 29). Refuses with `subject_not_found`. */
export const holdsOn = async ({ aggregates, events }: HoldDeps, { kind, id }: Held, at: Date): Promise<HoldsOnRecord> => {
  const { kept, position, revision } = kind === 'user' ? await ofUser(aggregates, id) : await ofTester(aggregates, id)
  const holds = new Map<string, HoldRecord>()
  for await (const event of events.readStream(`${kind}-${id}`)) {
    if (event.type === 'user.legal_hold_placed' || event.type === 'tester.legal_hold_placed') {
      const { holdId, matter, until, placedAt } = event.data
      const end = until === undefined ? {} : { until }
      holds.set(holdId, { holdId, matter, ...end, placed: actOf(event.metadata, placedAt), inForce: isInForce(end, at) })
    } else if (event.type === 'user.legal_hold_lifted' || event.type === 'tester.legal_hold_lifted') {
      const hold = holds.get(event.data.holdId)
      if (hold !== undefined) holds.set(hold.holdId, { ...hold, lifted: actOf(event.metadata, event.data.liftedAt), inForce: false })
    }
  }
  return { life: kept.life, holds: [...holds.values()], position, revision }
}

const ofUser = async (aggregates: Aggregates, id: string): Promise<{ kept: Kept } & Place> => {
  const { state, position, revision } = await aggregates.current(userAggregate, id)
  return { kept: onRecord(state).account, position, revision }
}

const ofTester = async (aggregates: Aggregates, id: string): Promise<{ kept: Kept } & Place> => {
  const { state, position, revision } = await aggregates.current(testerAggregate, id)
  return { kept: testerOnRecord(state), position, revision }
}
