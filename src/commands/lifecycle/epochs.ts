// Begins the lifecycle stream anew, and says when that is done: the two facts round what the publishers do (decision 26).
import { beginEpoch, completeEpoch, EPOCHS, epochsAggregate, type Epochs } from '../../domain/lifecycle/epochs.ts'
import { refuse } from '../../domain/codes.ts'
import { StreamUnavailable, type LifecycleOperations } from '../../lifecycle-stream.ts'
import type { Clock, Ids } from '../../ports.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface EpochDeps { aggregates: Aggregates, ids: Ids, stream: string, lifecycle: Pick<LifecycleOperations, 'report'> }

/**
 * Orders a new stream; the publishers carry it out. What the consumers have acknowledged goes into the fact, since the
 * groups that knew it go away with the old stream.
 * @throws Refusal `conflict` while one is under way, `redis_unavailable`
 */
export const beginLifecycleEpoch = async ({ aggregates, ids, stream, lifecycle }: EpochDeps, context: CommandContext): Promise<Receipt<Epochs, 'lifecycle'>> => {
  const epochId = ids.derive('epoch', context.commandId)
  const { commands } = await aggregates.current(epochsAggregate, EPOCHS)
  // A repeated command is answered from what is recorded, also while Redis is away.
  const report = commands.has(context.commandId) ? undefined : await lifecycle.report().catch(away)
  const groups = (report?.consumers ?? []).map(({ name, group, acknowledged = 0n }) => ({ consumer: name, group, position: String(acknowledged) }))
  const origin = { stream, groups, ...report?.strayEntryId !== undefined && { strayEntryId: report.strayEntryId } }
  return aggregates.execute({ aggregate: epochsAggregate, id: EPOCHS, context, decide: (epochs) => beginEpoch(epochs, epochId, origin, context.at) })
}

/** Says that the new stream is there; of several publishers that find it so, one is recorded. */
export const completeLifecycleEpoch = async (
  { aggregates, ids, clock }: { aggregates: Aggregates, ids: Ids, clock: Clock }, epochId: string, entries: number
): Promise<void> => {
  const commandId = ids.derive('epoch-completed', epochId)
  const at = clock.now()
  await aggregates.execute({
    aggregate: epochsAggregate, id: EPOCHS, decide: (epochs) => completeEpoch(epochs, epochId, entries, at),
    context: { commandId, at, actor: { type: 'system', id: 'publisher' }, requestId: commandId }
  })
}

/** For `catch`: Redis that is away, as callers hear of it. */
export const away = (error: unknown): never => {
  if (error instanceof StreamUnavailable) return refuse('redis_unavailable', 'Redis does not answer. What is to be published waits in the log; ask again when it is back.', { cause: error.code })
  throw error
}
