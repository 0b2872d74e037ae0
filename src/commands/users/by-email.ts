// resolve-by-email and ensure-by-email: what an address stands for, and the one account that it makes (seed 003).
import { refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { register, standingOf, type Standing } from '../../domain/account/register.ts'
import { claimEmail, emailAggregate, type Reservation } from '../../domain/reservation/reservation.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import { ADDRESS_RULE, requireAddress, type Address } from '../address.ts'
import type { CommandContext } from '../context.ts'
import { notReused } from '../execute.ts'
import { subjectOf, type UserDeps } from './deps.ts'

type Deps = Pick<UserDeps, 'aggregates' | 'ids' | 'keys'>

export type Resolved = Extract<Standing, { outcome: 'existing' | 'blocked' }> | { outcome: 'creatable' }

/** What the address stands for now, from the streams (decision 29). Refuses with `invalid_request`. */
export const resolveByEmail = async ({ aggregates, keys }: Deps, email: string, at: Date): Promise<Resolved> => {
  const { hash } = requireAddress(keys, email)
  const { state } = await aggregates.current(emailAggregate, hash)
  if (state.status === 'free') return { outcome: 'creatable' }
  const holder = await aggregates.current(userAggregate, state.by)
  const standing = standingOf(holder.state, hash, at)
  // Claimed and not made yet: ensure completes it, so an account can be had for this address.
  return standing.outcome === 'existing' || standing.outcome === 'blocked' ? standing : { outcome: 'creatable' }
}

export interface EnsureByEmail { email: string, preferredLanguage?: string, timeZone?: string }

export type Ensured = (Extract<Resolved, { outcome: 'existing' | 'blocked' }> | { outcome: 'created', userId: string }) &
  { revision: ExpectedRevision, position: bigint }

/** Addresses that were claimed for an account that turned out not to have them: more of them in a row would be a fault. */
const MAX_CLAIMS = 5

/**
 * The account of the address, made if there is none. However many ask at once, one account is made, for which one of
 * them hears `created` and the others `existing` (ADR 0100). A claim whose account was never made is completed with
 * the id that it names (decision 6). Refuses with `invalid_request`, `idempotency_key_reused`.
 */
export const ensureByEmail = async (deps: Deps, command: EnsureByEmail, context: CommandContext): Promise<Ensured> => {
  const { aggregates, ids, keys } = deps
  const address = requireAddress(keys, command.email)
  const ownId = ids.derive('user', context.commandId)
  // The key may have been used for another address: then that account stands under the same id.
  notReused(await aggregates.cached(userAggregate, ownId), context)

  let gone: string | undefined
  for (let claims = 0; claims < MAX_CLAIMS; claims++) {
    const holder = await claim(deps, address, ownId, gone, context)
    const ensured = await settle(deps, holder, address, command, context)
    if (ensured !== undefined) return ensured
    gone = holder
  }
  return refuse('conflict', 'The address keeps changing hands. Nothing was recorded; send the request again.')
}

/** Whom the address is claimed for, from now on or before. */
const claim = async ({ aggregates }: Deps, { hash }: Address, userId: string, gone: string | undefined, context: CommandContext): Promise<string> => {
  const { state } = await aggregates.execute({
    aggregate: emailAggregate, id: hash, context, likelyNew: true,
    decide: (held: Reservation) => claimEmail(held, { userId, ruleVersion: ADDRESS_RULE, at: context.at.toISOString(), ...gone !== undefined && { gone } })
  })
  return state.status === 'held' ? state.by : userId
}

/** Makes the account if it is absent, and says how it stands; undefined if the address is not its own any more. */
const settle = async (
  { aggregates, ids }: Deps, userId: string, address: Address, { preferredLanguage, timeZone }: EnsureByEmail, context: CommandContext
): Promise<Ensured | undefined> => {
  const { at } = context
  const { events, state, revision, position } = await aggregates.execute({
    aggregate: userAggregate, id: userId, context, likelyNew: userId === ids.derive('user', context.commandId),
    decide: (user: User) => register(user, {
      userId, email: new Clear(address.text, subjectOf(userId)), addressHash: address.hash, at,
      ...preferredLanguage !== undefined && { preferredLanguage }, ...timeZone !== undefined && { timeZone }
    })
  })
  const place = { revision, position }
  if (events.some(({ type }) => type === 'user.registered')) return { outcome: 'created', userId, ...place }
  const standing = standingOf(state, address.hash, at)
  return standing.outcome === 'existing' || standing.outcome === 'blocked' ? { ...standing, ...place } : undefined
}
