// Proves before a subscription that the log is still the one that was read (decision 12).
import { LogForked } from '../../src/log-errors.ts'
import type { Reader } from './read.ts'

/**
 * A store restored from an older backup, or another store at the same address, confirms a subscription from beyond its end
 * and stays silent for ever.
 * @throws LogForked if the event at `last` has another id or is gone, or if there is no event at `delivered`
 */
export const proveUnforked = async (reader: Reader, delivered: bigint, last: { position: bigint, id: string } | undefined): Promise<void> => {
  if (last !== undefined) {
    const found = await reader.at(last.position)
    if (found === undefined) throw new LogForked(last.position, `no event is there, where ${last.id} was`)
    if (found.id !== last.id) throw new LogForked(last.position, `event ${found.id} is there, where ${last.id} was`)
  }
  // A checkpoint lies at the record of somebody else: that it is still there shows that the end is not behind it.
  if (delivered > (last?.position ?? 0n) && await reader.at(delivered) === undefined) throw new LogForked(delivered, 'it ends before, or was written anew')
}
