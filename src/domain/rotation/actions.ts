// What a job asks the outside world for next: derived from its facts, carried out by the reactor, answered by facts.
import type { Subscriber } from '../credential/manifest.ts'
import type { Purpose } from './job.ts'

/** One effect that is due. Where it must not happen twice, the fact that announces it is appended first, and is the claim. */
export type Action =
  | { kind: 'verify', attempt: number, valueId: string, replace: boolean }
  /** Lists, appends `mint_started`, mints, stores the value, appends the outcome. */
  | { kind: 'mint', attempt: number }
  /** `mint_started` without an outcome, of a process that is gone: unknown. */
  | { kind: 'give_up_mint', attempt: number }
  /** Looks at the vendor's list for what an unknown minting left, until it has shown nothing for long enough. */
  | { kind: 'settle_mint', attempt: number }
  | { kind: 'revoke_orphan', vendorTokenId: string }
  | { kind: 'start_deliveries', attempt: number, valueId: string, consumers: readonly string[] }
  /** `tries`: which try this is. */
  | { kind: 'deliver', attempt: number, valueId: string, deliveries: ReadonlyArray<{ subscriber: Subscriber, deliverySeq: number, tries: number }> }
  /** Pulls that nobody acknowledged in time become `unreachable`. */
  | { kind: 'expire_deliveries', attempt: number, consumers: readonly string[] }
  | { kind: 'end_distribution', attempt: number }
  | { kind: 'start_validation', purpose: Purpose, round: number, valueId: string }
  | { kind: 'probe', round: number, valueId: string, subscribers: readonly Subscriber[] }
  | { kind: 'end_validation', round: number, purpose: Purpose }
  /** Before `revoke_started`: the vendor's list, for orphans and for uses of the old value since it was superseded. */
  | { kind: 'check_before_revoke' }
  | { kind: 'revoke', attempt: number }
  | { kind: 'probe_refused', valueId: string }
  | { kind: 'tell_unconfirmed' }
  | { kind: 'finish' }
  | { kind: 'check_old', valueId: string }
  | { kind: 'revoke_new', attempt: number }
  | { kind: 'end_abort' }

/** What is due now, and when to look again by the clock; nothing of both: it waits for a human, or has ended. */
export interface Due { actions: Action[], again: Date | undefined }

export const nothing: Due = { actions: [], again: undefined }
export const doNow = (action: Action): Due => ({ actions: [action], again: undefined })
/** @param ms since 1970 */
export const at = (ms: number): Due => ({ actions: [], again: new Date(ms) })
