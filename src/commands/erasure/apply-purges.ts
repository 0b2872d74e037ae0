// At every start: each erasure that the log tells of is applied to the vault again, so that an older copy of the vault
// brings nobody back (decision 15).
import type { EventStore, KeyDestroyer, RawEvent } from '../../ports.ts'
import type { ErasureQueries } from '../../queries.ts'

export interface PurgeDeps {
  /** Bodies are not checked here: one event that cannot be read must not keep the others from being applied. */
  events: Pick<EventStore, 'at' | 'rawAll'>
  erasures: Pick<ErasureQueries, 'known' | 'purged'>
  keys: KeyDestroyer
}

const PAGE = 2_000

/**
 * Asks the read model for what it knows, and the log for what came after; a read model that does not fit the log, or is
 * not there yet, is not asked.
 * @returns how many keys were still there, or not marked as destroyed
 */
export const applyPurges = async ({ events, erasures, keys }: PurgeDeps): Promise<number> => {
  const known = await erasures.known()
  const trusted = known !== undefined && (await events.at(known.position))?.id === known.eventId ? known : undefined
  let brought = trusted === undefined ? 0 : await applyKnown({ erasures, keys })
  let batch: string[] = []
  for await (const event of events.rawAll(trusted === undefined ? {} : { after: trusted.position })) {
    batch.push(...subjectsOf(event))
    if (batch.length < PAGE) continue
    brought += await keys.destroyAll(batch)
    batch = []
  }
  return brought + (batch.length > 0 ? await keys.destroyAll(batch) : 0)
}

const applyKnown = async ({ erasures, keys }: Pick<PurgeDeps, 'erasures' | 'keys'>): Promise<number> => {
  let brought = 0
  for (let after: bigint | undefined; ;) {
    const page = await erasures.purged(PAGE, after)
    brought += await keys.destroyAll(page.flatMap(({ subjects }) => subjects))
    if (page.length < PAGE) return brought
    after = page.at(-1)?.position
  }
}

const subjectsOf = ({ type, stream, data }: RawEvent): string[] => {
  if (type === 'account.purged') return [stream]
  if (type !== 'tester.purged') return []
  const { userIds } = data as { userIds?: unknown }
  return [stream, ...Array.isArray(userIds) ? userIds.map((userId) => `user-${String(userId)}`) : []]
}
