// Sets the tariff of an account.
import type { EventOf } from '../catalogue.ts'
import { refuse } from '../codes.ts'
import type { Instant } from '../event.ts'
import type { User } from '../user/user.ts'
import { live } from './live.ts'

export interface TariffCommand {
  userId: string
  code: string
  /** Default: now. Not in the future: an account has one tariff, the present one. */
  since?: Instant
  until?: Instant
  at: Date
}

/** Refuses with `invalid_request` times that cannot be. Nothing to record if the account has exactly this tariff already. */
export const setTariff = (user: User, { userId, code, since, until, at }: TariffCommand): Array<EventOf<'user'>> => {
  const { tariff } = live(user).account
  const setAt = at.toISOString()
  const from = since ?? setAt
  if (Date.parse(from) > at.getTime()) return refuse('invalid_request', 'since lies in the future: a tariff is set when it begins.')
  if (until !== undefined && Date.parse(until) <= Date.parse(from)) return refuse('invalid_request', 'until has to lie after since.')
  if (tariff?.code === code && tariff.until === until && (since === undefined || tariff.since === since)) return []
  return [{ type: 'user.tariff_set', data: { userId, code, since: from, ...until !== undefined && { until }, setAt } }]
}
