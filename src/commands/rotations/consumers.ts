// What a consumer does itself: it fetches the value that it is to use, and reports that it uses it.
import { refuse } from '../../domain/codes.ts'
import { credentialAggregate } from '../../domain/credential/credential.ts'
import { acknowledgeOn, fetchOn, valueFor } from '../../domain/rotation/fetch.ts'
import type { CommandContext } from '../context.ts'
import type { CredentialReceipt, FetchDeps, RotationDeps } from './deps.ts'

/**
 * Gives a consumer the value that it is to use now, sealed to its key; each fetch is a fact.
 * @throws Refusal `subject_not_found` for who stands not in the manifest, `value_missing`, `consumer_key_missing`
 */
export const fetchValue = async (
  { aggregates, keys, values, deliveries }: FetchDeps, { consumer, credential: name }: { consumer: string, credential: string }, context: CommandContext
): Promise<CredentialReceipt & { jwe: string, deliverySeq: number }> => {
  const { state } = await aggregates.current(credentialAggregate, name)
  valueFor(state, consumer)
  const key = await keys.keyOf(consumer) ?? refuse('consumer_key_missing', `Register a key first: PUT /api/v1/consumers/${consumer}/key.`)
  const receipt = await aggregates.execute({ aggregate: credentialAggregate, id: name, context, decide: (credential) => fetchOn(credential, consumer, context.at) })
  const fetched = receipt.events.find((event) => event.type === 'credential.value_fetched')
  if (fetched === undefined) return refuse('internal_error', 'The fetch was not recorded.')
  const { valueId, deliverySeq } = fetched.data
  const value = await values.open(valueId) ?? refuse('value_missing', 'The vault does not hold this value any more. Fetch again.')
  const jwe = await deliveries.seal({ credential: name, value, valueId, deliverySeq }, key)
  return { ...receipt, jwe, deliverySeq }
}

/**
 * True if a consumer that has this delivery has what it is to use: nothing is opened for it, and nothing is recorded, however
 * often it asks.
 * @throws Refusal `subject_not_found`, `value_missing`
 */
export const hasNewest = async (
  { aggregates }: Pick<RotationDeps, 'aggregates'>, { consumer, credential: name, deliverySeq }: { consumer: string, credential: string, deliverySeq: number }
): Promise<boolean> => {
  const { state } = await aggregates.current(credentialAggregate, name)
  const given = state.status === 'known' ? state.held.get(consumer)?.seq : undefined
  return valueFor(state, consumer).deliverySeq === deliverySeq && given === deliverySeq
}

/**
 * Records that a consumer uses what it was given. Again, or outside a rotation, there is nothing to record.
 * @throws Refusal `subject_not_found`, `delivery_superseded` for an older delivery, `conflict` for one that there never was
 */
export const acknowledge = async (
  { aggregates }: Pick<RotationDeps, 'aggregates'>, { consumer, credential: name, deliverySeq }: { consumer: string, credential: string, deliverySeq: number }, context: CommandContext
): Promise<CredentialReceipt> =>
  aggregates.execute({ aggregate: credentialAggregate, id: name, context, decide: (credential) => acknowledgeOn(credential, consumer, deliverySeq, context.at) })
