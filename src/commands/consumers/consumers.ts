// Use cases on consumers of the lifecycle stream: registration, retirement, and the key that checks MACs.
import { refuse } from '../../domain/codes.ts'
import { consumerAggregate, openMacKey, own, register, retire, type Asking, type Consumer, type Registration } from '../../domain/consumer/consumer.ts'
import type { EventStore, Keys } from '../../ports.ts'
import type { ConsumerQueries } from '../../account-queries.ts'
import type { Positions } from '../../queries.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'
import { createQueues } from '../queues.ts'

export interface ConsumerDeps {
  aggregates: Aggregates
  events: Pick<EventStore, 'last'>
  keys: Pick<Keys, 'lifecycleMacKey'>
  positions: Positions
  consumers: Pick<ConsumerQueries, 'registered'>
}

interface OnConsumer { consumer: string, by: Asking, ifMatch?: bigint | undefined }

const onConsumer = (
  { aggregates }: Pick<ConsumerDeps, 'aggregates'>, { consumer, ifMatch }: OnConsumer, context: CommandContext, decide: (state: Consumer) => ReturnType<typeof register>
): Promise<Receipt<Consumer, 'consumer'>> => aggregates.execute({ aggregate: consumerAggregate, id: consumer, context, decide, ...ifMatch !== undefined && { ifMatch } })

/** Registrations that bring a group along are decided one after the other: each has to know the one before. */
const inTurn = createQueues()

/**
 * Registers a consumer, or changes its registration; what is so already is answered all the same.
 * Refuses with `forbidden` who it does not belong to, and with `conflict` a group that another consumer has (ADR 0134).
 */
export const registerConsumer = async (deps: ConsumerDeps, command: OnConsumer & Registration, context: CommandContext): Promise<Receipt<Consumer, 'consumer'>> => {
  const { consumer, group, by } = command
  const decide = () => onConsumer(deps, command, context, (state) => register(state, { ...command, at: context.at }))
  const { state, commands } = await deps.aggregates.current(consumerAggregate, consumer)
  if (commands.has(context.commandId) || (state.status === 'registered' && state.group === group)) return decide()
  if (state.status === 'registered') own(state, by)
  return inTurn('groups', async () => {
    await notTaken(deps, consumer, group)
    return decide()
  })
}

/** Two consumers of one group would set it back for each other. From the read model, as far as the log has come. */
const notTaken = async ({ consumers, events, positions }: ConsumerDeps, consumer: string, group: string): Promise<void> => {
  const position = (await events.last())?.position ?? 0n
  if (await positions.waitFor(['consumers'], position) !== undefined) {
    refuse('projection_behind', 'Whether another consumer has this group is not known yet. Send the request again shortly.', { min_position: String(position) })
  }
  const holder = (await consumers.registered()).find((other) => other.group === group && other.name !== consumer)
  if (holder !== undefined) refuse('conflict', `The consumer ${holder.name} has this group. Each needs its own.`, { group, consumer: holder.name })
}

/** Refuses with `subject_not_found`, and with `forbidden` who it does not belong to. */
export const retireConsumer = (deps: Pick<ConsumerDeps, 'aggregates'>, command: OnConsumer, context: CommandContext): Promise<Receipt<Consumer, 'consumer'>> =>
  onConsumer(deps, command, context, (state) => retire(state, { ...command, at: context.at }))

/** The fact first, then the key: who was refused has no key. Refuses with `subject_not_found` and `forbidden`. */
export const openMacKeyFor = async (
  deps: Pick<ConsumerDeps, 'aggregates' | 'keys'>, command: OnConsumer, context: CommandContext
): Promise<Receipt<Consumer, 'consumer'> & { keyId: string, key: Uint8Array }> => {
  const { keyId, key } = deps.keys.lifecycleMacKey()
  const receipt = await onConsumer(deps, command, context, (state) => openMacKey(state, { ...command, keyId, at: context.at }))
  // A repeated request decides nothing, and the consumer may have another owner since.
  own(receipt.state, command.by)
  return { ...receipt, keyId, key }
}
