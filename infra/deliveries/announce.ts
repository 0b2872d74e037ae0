// Tells the consumers that pull: a thin entry each on a Redis stream, which says that there is something, never what.
import type { Redis } from 'ioredis'
import type { Clock } from '../../src/ports.ts'
import type { Deliveries } from '../../src/rotation-ports.ts'
import { openRedis } from '../redis/index.ts'

/** An entry is a hint to fetch; whoever missed it polls. So the stream need not reach back far. */
const KEPT = 10_000

/** The connection is opened with the first entry: who pushes everything needs no Redis. */
export const createAnnouncer = ({ url, stream }: { url: () => string | undefined, stream: string }, clock: Clock) => {
  let client: Redis | undefined

  const announce: Deliveries['announce'] = async (entries) => {
    if (entries.length === 0) return
    const address = url()
    if (address === undefined) throw new Error('there is no Redis yet')
    client ??= openRedis({ url: address, name: 'chancery-deliveries' })
    const pipeline = client.pipeline()
    const occurred = String(clock.now().getTime())
    for (const { credential, rotationId, consumer, deliverySeq } of entries) {
      pipeline.xadd(stream, 'MAXLEN', '~', KEPT, '*',
        'event_type', 'credential.rotation', 'credential', credential, 'rotation_id', rotationId, 'consumer', consumer,
        'delivery_seq', String(deliverySeq), 'occurred_at_ms', occurred)
    }
    const answers = await pipeline.exec().catch(refused)
    const [error] = answers?.find(([error]) => error !== null) ?? []
    if (error != null) refused(error)
  }

  return { announce, close: () => { client?.disconnect() } }
}

/** Redis's messages may quote the command; its first word says enough. */
const refused = ({ message }: Error): never => {
  throw new Error(`Redis did not take the announcement: ${/^[A-Z]{3,}\b/.exec(message)?.[0] ?? 'it does not answer'}`)
}
