// What a failure means in one sentence of ours: no secret, and nothing that the other side wrote.
import type { Exchange } from '../credential/fields.ts'
import type { Subscriber } from '../credential/manifest.ts'
import type { DistributeStatus, ProofOutcome } from './job.ts'

const failures: Readonly<Record<string, string>> = {
  timeout: 'It did not answer in time.',
  connection_refused: 'It refused the connection.',
  name_unknown: 'Its name is not known.',
  address_forbidden: 'Its address is not allowed: CHANCERY_OUTGOING_ALLOW names those that are.',
  redirect_refused: 'It answered with a redirect, which is not followed.',
  too_large: 'Its answer was too large.',
  value_missing: 'Nothing was sent: the vault does not hold the value.',
  connection_elsewhere: 'Nothing was sent: the connection is not for this address.',
  tls: 'No secure connection could be made.'
}

const came = (exchange: Exchange | undefined): string => {
  if (exchange?.answer !== undefined) return `It answered ${exchange.answer.status}.`
  return failures[exchange?.failure ?? ''] ?? 'It did not answer.'
}

export const deliveryError = ({ delivery }: Subscriber, status: DistributeStatus, exchange: Exchange | undefined): string => {
  if (exchange !== undefined) return came(exchange)
  if (delivery.kind === 'push') return 'Nothing was sent: it has registered no key. Let it register one, then retry.'
  return status === 'unreachable' ? 'It did not acknowledge in time what was announced to it.' : 'Nothing was announced: the stream could not be written.'
}

const proofs: Readonly<Record<Exclude<ProofOutcome, 'proved' | 'unproved'>, string>> = {
  unhealthy: 'Its healthcheck does not say ok.',
  unreachable: 'Its healthcheck could not be reached.',
  not_possessing: 'It answers, but proves nothing.'
}

/** @param which value was to be proved */
export const proofError = (outcome: ProofOutcome, exchange: Exchange | undefined, which: 'new' | 'old'): string | undefined => {
  if (outcome === 'proved') return undefined
  if (exchange === undefined) return 'Nobody was asked: the vault does not hold the value.'
  if (outcome === 'unproved') return `Its proof is keyed by another value: it does not use the ${which} one.`
  const sentence = proofs[outcome]
  return outcome === 'unhealthy' || outcome === 'unreachable' ? `${sentence} ${came(exchange)}` : sentence
}

/** Request Timeout and Too Many Requests say nothing of the value. */
const passing: ReadonlySet<string> = new Set(['408', '429'])

/** Stage 1 has tried a made-up value, and it was not refused: why, and what to change (ADR 0186). Undefined for every other exchange. */
export const notRefused = ({ probe, failure, answer }: Exchange): string | undefined => {
  if (probe !== 'refuses_random' || answer === undefined) return undefined
  const begin = 'Nothing was touched: the old value could never be seen refused, since'
  if (failure === 'random_accepted') {
    return `${begin} the vendor lets in a value that was made up at random. Let the manifest's authenticate be a request that needs the value, or the vendor ask for one; then verify again, or abort.`
  }
  const { status } = answer
  const change = /^4\d\d$/.test(status) && !passing.has(status) ? `If that is how it refuses, put a manifest with ${status} among its refused_statuses;` : 'If that was a bad moment, wait; if not, look at authenticate in the manifest;'
  return `${begin} the vendor answered ${status} to one that was made up at random, which is no refusal. ${change} then verify again, or abort.`
}

/** What the list says that does not show the token of the value in use, which then could not be revoked by its id (ADR 0186). */
export const TOKEN_NOT_LISTED = 'token_not_listed'

/** Stage 1 has looked for the token in use on the vendor's list: what to change. Undefined for every other exchange. */
export const notListed = ({ failure }: Exchange): string | undefined => failure === TOKEN_NOT_LISTED
  ? 'Nothing was touched: the vendor\'s list does not show the token id under which the value in use was adopted, so the old token could not be revoked by it. Abort, and adopt the value again with its right vendor_token_id; if the list shows another account\'s tokens, or only some, mend the connection or the list of the manifest. Then verify again.'
  : undefined

/** What stands in a request's place where there was nothing to ask with (ADR 0160). */
export const VALUE_MISSING = 'value_missing'

export const valueMissing = (at: Date): Exchange =>
  ({ probe: 'vault', outcome: 'failed', request: { method: 'OPEN', target: 'the vault' }, failure: VALUE_MISSING, at: at.toISOString(), tookMs: 0 })

/** Stage 1 had nothing to try. Undefined for every other exchange. */
export const notHeld = ({ failure }: Exchange): string | undefined => failure === VALUE_MISSING
  ? 'Nothing was touched, and the vendor was not asked: the vault does not hold the value in use, as after a restore from an older backup. Abort, and adopt it again, also if it is dead: that the vendor refuses it has to be seen in the end. Only where it was adopted with its vendor_token_id, and the vendor lists its tokens, does mode replace do without it.'
  : undefined

/** Stage 1 has found that the connection is the value that is to be rotated (ADR 0192): what to change. Undefined for every other exchange. */
export const isTheConnection = ({ failure }: Exchange): string | undefined => failure === 'is_the_connection'
  ? 'Nothing was touched: the connection is what is to be rotated, under another name. It would revoke itself, and then nobody could list or revoke any more. Put a manifest with another connection: a credential, or an account, with a secret of its own; then verify again, or abort.'
  : undefined

/** A minted value that the vendor did not take (ADR 0152): what to look at. Undefined for every other exchange. */
export const notTaken = ({ probe, outcome, answer }: Exchange): string | undefined => {
  if (probe !== 'authenticate') return undefined
  const came = answer === undefined ? 'there was no answer' : `the answer was ${answer.status}`
  const begin = outcome === 'unknown' ? `The vendor minted, and did not say whether it takes the new value (${came})` : `The vendor minted, and does not take the new value (${came})`
  return `${begin}: nobody was given it, and its token is revoked. The old one works on. Where a manifest describes the vendor, look at its mint.secret, which has to point to the value in the answer: abort, mend it, and open a new rotation. Else distribute again, or abort.`
}

/** So many names stand in a sentence; the view has all. */
const FEW = 5

export const unexplainedTokens = (ids: readonly string[]): string =>
  `The vendor lists tokens that are new since a minting whose outcome is unknown: ${ids.slice(0, FEW).join(', ')}${ids.length > FEW ? ` and ${ids.length - FEW} more` : ''}. At most one is this rotation's, nobody can tell which, and none is revoked. Ask who made them; what nobody knows of, revoke at the vendor by hand. The rotation does not wait for it.`
