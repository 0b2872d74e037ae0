// What an account may do at a moment: the one pure rule behind the lobby's answer and every command it concerns (seed 003).
import type { Instant } from '../event.ts'
import type { Account, Cause, Sanction } from './account.ts'
import { limitCatalogue, limitCodes, markers, sanctionCatalogue, type LimitCode, type Marker } from './catalogues.ts'

/** `allowed`, or the sanction that stands against it; of several, the first that was applied. Without one, the account is deleted. */
export type Verdict = { allowed: true } | { allowed: false, because?: Sanction }

export interface EffectiveLimit { value: number, cause?: Cause }

export interface Eligibility {
  markers: Record<Marker, Verdict>
  limits: Record<LimitCode, EffectiveLimit>
}

export interface Span { startsAt: Instant, atOnce: boolean, expiresAt?: Instant | undefined }

/** What the clock makes of a sanction that was not removed. */
export type TimeState = 'scheduled' | 'active' | 'expired'

/** Active from its fact or, where one was given, from its start (inclusive) to its expiry (exclusive). */
export const timeStateAt = ({ startsAt, atOnce, expiresAt }: Span, at: Date): TimeState => {
  if (!atOnce && at.getTime() < Date.parse(startsAt)) return 'scheduled'
  return expiresAt !== undefined && Date.parse(expiresAt) <= at.getTime() ? 'expired' : 'active'
}

/** The sanctions that count at a moment, in the order in which they were applied. */
export const activeSanctions = ({ sanctions }: Pick<Account, 'sanctions'>, at: Date): Sanction[] =>
  sanctions.filter((sanction) => timeStateAt(sanction, at) === 'active')

/** The permanent block, if there is one. */
export const permanentBlockOf = (account: Pick<Account, 'sanctions'>, at: Date): Sanction | undefined =>
  activeSanctions(account, at).find(({ code }) => code === 'permanent_block')

/**
 * What the account may do at `at`, on the platform or, with `scope` `game:{id}`, in that game: nothing once it is deleted.
 */
export const eligibilityOf = (account: Pick<Account, 'sanctions' | 'limits' | 'life'>, at: Date, scope = 'platform'): Eligibility => {
  const counting = activeSanctions(account, at).filter((sanction) => sanction.scope === 'platform' || sanction.scope === scope)
  const verdictOn = (marker: Marker): Verdict => {
    if (account.life.stage !== 'live') return { allowed: false }
    const because = counting.find(({ code }) => (sanctionCatalogue[code].takes as readonly Marker[]).includes(marker))
    return because === undefined ? { allowed: true } : { allowed: false, because }
  }
  const limitOf = (code: LimitCode): EffectiveLimit => {
    const limit = account.limits[code]
    return limit === undefined ? { value: limitCatalogue[code].default } : { value: limit.value, cause: limit.cause }
  }
  return {
    markers: Object.fromEntries(markers.map((marker) => [marker, verdictOn(marker)])) as Record<Marker, Verdict>,
    limits: Object.fromEntries(limitCodes.map((code) => [code, limitOf(code)])) as Record<LimitCode, EffectiveLimit>
  }
}
