// The shapes that the facts of credentials and their rotations share.
import { Type, type Static } from '@sinclair/typebox'
import { InstantField, Word, closed } from '../fields.ts'

/** A credential's name, which is also the last part of its stream's name and what an operator types to confirm. */
export const CredentialName = () => Type.String({ pattern: '^[a-z][a-z0-9-]{0,47}$', maxLength: 48 })
/** A consumer's name: the one behind `consumer:` in its principal's role. */
export const SubscriberName = () => Type.String({ pattern: '^[a-z][a-z0-9-]{0,47}$', maxLength: 48 })
/** What the vendor calls a token; never its value. */
export const VendorTokenId = () => Type.String({ minLength: 1, maxLength: 256 })
/** Keyed hash of a value: tells equal from different, and nothing else. */
export const Fingerprint = () => Type.String({ pattern: '^[A-Za-z0-9_-]{43}$' })
const Headers = () => Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 2048 }))

/** `by_hand`: nothing was asked of anybody, it is left to the human; neither a yes nor a no. */
export const exchangeOutcomes = ['passed', 'failed', 'unknown', 'by_hand'] as const

/**
 * One request to a vendor or a consumer and what came back, scrubbed of every secret: what the transcript replays.
 * `status` is the vendor's own (an HTTP status, an SQLSTATE, a Redis error's first word).
 */
export const ExchangeField = () => Type.Object({
  /** What it was for: `authenticate`, `metadata`, `may_mint`, `refuses_random`, `list`, `mint`, `revoke`, `refused`, `push`, `healthcheck` … */
  probe: Word(),
  outcome: Type.Union(exchangeOutcomes.map((word) => Type.Literal(word))),
  request: Type.Object({
    method: Type.String({ maxLength: 32 }), target: Type.String({ maxLength: 2048 }), headers: Type.Optional(Headers()), body: Type.Optional(Type.String({ maxLength: 4096 }))
  }, closed),
  answer: Type.Optional(Type.Object({
    status: Type.String({ maxLength: 64 }), headers: Type.Optional(Headers()), body: Type.Optional(Type.String({ maxLength: 4096 }))
  }, closed)),
  /** Why there is no answer: `timeout`, `connection_refused`, `name_unknown`, `address_forbidden`, `redirect_refused`, `too_large`, `tls` … */
  failure: Type.Optional(Word()),
  at: InstantField(),
  tookMs: Type.Integer({ minimum: 0 })
}, closed)
export type Exchange = Static<ReturnType<typeof ExchangeField>>

/** True where stage 1 may go on: nothing spoke against it. */
export const holdsUp = ({ outcome }: Pick<Exchange, 'outcome'>): boolean => outcome === 'passed' || outcome === 'by_hand'
