// Use cases on consumers of the lifecycle stream: registration, retirement, and the key that checks MACs.
import { consumerAggregate, openMacKey, register, retire, type Consumer, type Registration } from '../../domain/consumer/consumer.ts'
import type { Keys } from '../../ports.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface ConsumerDeps { aggregates: Aggregates, keys: Pick<Keys, 'lifecycleMacKey'> }

interface OnConsumer { consumer: string, ifMatch?: bigint | undefined }
type ConsumerReceipt = Receipt<Consumer, 'consumer'>

const onConsumer = (
  { aggregates }: Pick<ConsumerDeps, 'aggregates'>, { consumer, ifMatch }: OnConsumer, context: CommandContext, decide: (state: Consumer) => ReturnType<typeof register>
): Promise<ConsumerReceipt> => aggregates.execute({ aggregate: consumerAggregate, id: consumer, context, decide, ...ifMatch !== undefined && { ifMatch } })

/** Registers a consumer, or changes its registration; what is so already is answered all the same. */
export const registerConsumer = (deps: ConsumerDeps, command: OnConsumer & Registration, context: CommandContext): Promise<ConsumerReceipt> =>
  onConsumer(deps, command, context, (state) => register(state, { ...command, at: context.at }))

/** Refuses with `subject_not_found`. */
export const retireConsumer = (deps: ConsumerDeps, command: OnConsumer, context: CommandContext): Promise<ConsumerReceipt> =>
  onConsumer(deps, command, context, (state) => retire(state, { ...command, at: context.at }))

/** The fact first, then the key: who was refused has no key. Refuses with `subject_not_found`. */
export const openMacKeyFor = async (
  deps: ConsumerDeps, command: OnConsumer, context: CommandContext
): Promise<ConsumerReceipt & { keyId: string, key: Uint8Array }> => {
  const { keyId, key } = deps.keys.lifecycleMacKey()
  return { ...await onConsumer(deps, command, context, (state) => openMacKey(state, { ...command, keyId, at: context.at })), keyId, key }
}
