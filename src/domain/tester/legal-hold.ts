// Legal holds on a tester's record; the rules are those of accounts.
import { checkLifting, checkPlacing, type HoldPlacing } from '../account/legal-hold.ts'
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { PresentTester, Tester } from './tester.ts'

/** Also of a deleted tester (decision 29). Refuses with `subject_not_found`, `conflict`, `invalid_request`. */
export const placeTesterHold = (state: Tester, placing: HoldPlacing): Array<EventOf<'tester'>> => {
  const tester = testerOnRecord(state)
  checkPlacing(tester, placing)
  const { holdId, matter, until, at } = placing
  return [{
    type: 'tester.legal_hold_placed', data: { testerId: tester.testerId, holdId, matter, placedAt: at.toISOString(), ...until !== undefined && { until } }
  }]
}

/** Refuses with `subject_not_found`, `conflict`. */
export const liftTesterHold = (state: Tester, holdId: string, at: Date): Array<EventOf<'tester'>> => {
  const tester = testerOnRecord(state)
  checkLifting(tester, holdId)
  return [{ type: 'tester.legal_hold_lifted', data: { testerId: tester.testerId, holdId, liftedAt: at.toISOString() } }]
}

/** The tester, deleted or not. Refuses with `subject_not_found`. */
export const testerOnRecord = (tester: Tester): PresentTester =>
  tester.status === 'present' ? tester : refuse('subject_not_found', 'There is no such tester.')
