// Use cases of a consumer of credentials on itself: the key that its deliveries are sealed to, and what checks a push.
import { credentialAggregate } from '../../domain/credential/credential.ts'
import type { Secret } from '../../domain/credential/secret.ts'
import { refuse } from '../../domain/codes.ts'
import * as subscriber from '../../domain/subscriber/subscriber.ts'
import type { Deliveries, SubscriberKey, SubscriberKeys } from '../../rotation-ports.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'
import { checkedKey } from './key.ts'

export interface SubscriberDeps { aggregates: Aggregates, deliveries: Pick<Deliveries, 'webhookSecret'> }
export type SubscriberReceipt = Receipt<subscriber.SubscriberRecord, 'subscriber'>

const { subscriberAggregate } = subscriber

/** Registers the key, or replaces it. Refuses with `invalid_request` what is no usable one. */
export const registerKey = async (
  { aggregates }: Pick<SubscriberDeps, 'aggregates'>, { consumer, key, ifMatch }: { consumer: string, key: SubscriberKey['key'], ifMatch?: bigint | undefined }, context: CommandContext
): Promise<SubscriberReceipt & { keyId: string }> => {
  const checked = checkedKey(key)
  const receipt = await aggregates.execute({
    aggregate: subscriberAggregate, id: consumer, context, ...ifMatch !== undefined && { ifMatch },
    decide: (state) => subscriber.registerKey(state, { consumer, ...checked, at: context.at })
  })
  return { ...receipt, keyId: checked.keyId }
}

/**
 * The fact first, then the secret of the URL that the manifest names now.
 * @throws Refusal `subject_not_found` where no manifest of this credential names the consumer, `conflict` for one that pulls
 */
export const openWebhookSecret = async (
  { aggregates, deliveries }: SubscriberDeps, { consumer, credential }: { consumer: string, credential: string }, context: CommandContext
): Promise<SubscriberReceipt & { url: string, secret: Secret }> => {
  const { state } = await aggregates.current(credentialAggregate, credential)
  const named = state.status === 'known' ? state.manifest.consumers.find((other) => other.consumer === consumer) : undefined
  const { delivery } = named ?? refuse('subject_not_found', 'No credential of this name is meant for this consumer. Ask the one who writes its manifest.')
  if (delivery.kind !== 'push') return refuse('conflict', 'This consumer pulls: nothing is pushed to it, so there is nothing to check. It fetches with its access token.')
  const receipt = await aggregates.execute({
    aggregate: subscriberAggregate, id: consumer, context, decide: (state) => subscriber.openWebhookSecret(state, { consumer, credential, at: context.at })
  })
  return { ...receipt, url: delivery.url, secret: deliveries.webhookSecret({ consumer, credential, url: delivery.url }) }
}

/**
 * The keys as the consumers' streams have them.
 * @param alone true while no other process can have registered one: then what is cached is what there is (decision 2)
 */
export const subscriberKeys = ({ aggregates }: Pick<SubscriberDeps, 'aggregates'>, alone: () => boolean): SubscriberKeys => ({
  keyOf: async (consumer) => {
    const { state } = alone() ? await aggregates.cached(subscriberAggregate, consumer) : await aggregates.current(subscriberAggregate, consumer)
    return subscriber.keyOf(state)
  }
})
