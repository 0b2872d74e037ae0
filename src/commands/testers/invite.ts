// Invites a tester: reserve the address, make the tester with a link, ask for the mail.
import { refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { reserveTesterEmail, testerEmailAggregate, type Reservation } from '../../domain/reservation/reservation.ts'
import { invite, refuseExisting } from '../../domain/tester/links.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import { ADDRESS_RULE, requireAddress } from '../address.ts'
import type { CommandContext } from '../context.ts'
import type { TesterDeps } from './deps.ts'
import { mailedLink, mintingFor, type MailedLink } from './link.ts'

/**
 * Refuses with `tester_exists`, `invalid_request`, `idempotency_key_reused`. A reservation whose tester was never
 * made is completed, not taken over: the new tester gets the id that it names (decision 6).
 */
export const inviteTester = async (
  deps: Pick<TesterDeps, 'aggregates' | 'ids' | 'keys' | 'linkTtlMs'>, command: { email: string, name?: string }, context: CommandContext
): Promise<MailedLink> => {
  const { aggregates, ids, keys, linkTtlMs } = deps
  const address = requireAddress(keys, command.email)
  const ownId = ids.derive('tester', context.commandId)
  const own = await aggregates.cached(testerAggregate, ownId)
  const earlier = own.commands.get(context.commandId)
  if (earlier !== undefined && earlier.fingerprint !== context.fingerprint) {
    return refuse('idempotency_key_reused', 'This Idempotency-Key was used for another request. Send a new key with a new request.')
  }

  const testerId = earlier === undefined ? await reserve(deps, address.hash, ownId, context) : ownId
  const subject = `tester-${testerId}`
  const receipt = await aggregates.execute({
    aggregate: testerAggregate,
    id: testerId,
    context,
    decide: (tester) => invite(tester, {
      ...mintingFor(ids, ids.derive('invite', testerId, context.commandId), context.at, linkTtlMs),
      testerId,
      email: new Clear(address.text, subject),
      ...(command.name !== undefined && { name: new Clear(command.name, subject) }),
      addressHash: address.hash
    })
  })
  return mailedLink(receipt)
}

/** The id of the tester whom the reservation names. */
const reserve = async (
  { aggregates }: Pick<TesterDeps, 'aggregates'>, hash: string, testerId: string, context: CommandContext, gone?: string
): Promise<string> => {
  const reservation = { testerId, ruleVersion: ADDRESS_RULE, at: context.at.toISOString(), ...(gone !== undefined && { gone }) }
  const { state } = await aggregates.execute({
    aggregate: testerEmailAggregate, id: hash, context, likelyNew: true, decide: (held: Reservation) => reserveTesterEmail(held, reservation)
  })
  if (state.status === 'free' || state.by === testerId) return testerId
  const holder = await aggregates.current(testerAggregate, state.by)
  if (holder.state.status === 'absent' || holder.commands.has(context.commandId)) return state.by
  // A tester whose own stream names another address holds this one no longer.
  if (holder.state.addressHash !== hash && state.by !== gone) return reserve({ aggregates }, hash, testerId, context, state.by)
  return refuseExisting()
}
