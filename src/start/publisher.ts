// Joins the publisher of the lifecycle stream to the log, the keys and whichever Redis there is.
import type { Logger } from 'pino'
import { failpointOf } from '../../infra/failpoints.ts'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import { completeLifecycleEpoch } from '../commands/lifecycle/epochs.ts'
import type { Aggregates } from '../commands/execute.ts'
import type { Config } from '../config.ts'
import type { LifecycleOperations, LifecycleStream, PublisherStatus, RegisteredConsumer } from '../lifecycle-stream.ts'
import type { Clock, EventStore, Ids, Keys, RedisSource } from '../ports.ts'
import { lifecycleOperations } from '../publisher/operations.ts'
import { startPublisher, type Publisher } from '../publisher/publisher.ts'
import type { Releasers } from './releasers.ts'

export interface PublisherParts {
  config: Pick<Config, 'lifecycleStream' | 'lifecycleRetentionMs' | 'redisUrl' | 'failpoint'>
  aggregates: Aggregates
  clock: Clock
  events: EventStore
  ids: Ids
  keys: Pick<Keys, 'lifecycleMac'>
  consumers: () => Promise<readonly RegisteredConsumer[]>
  retired: () => Promise<readonly RegisteredConsumer[]>
  logger: Logger
  /** Absent where this process does not publish. */
  redis: RedisSource | undefined
}

/** What the rest of the service sees of the stream. */
export interface Lifecycle {
  publisher: Publisher | undefined
  /** Undefined while there is no Redis. */
  operations (): LifecycleOperations | undefined
}

/** Starts the publisher where there is a Redis source; elsewhere the stream is only asked, if the settings name a Redis. */
export const openLifecycle = (parts: PublisherParts, releasers: Releasers): Lifecycle => {
  const { config, aggregates, clock, events, ids, keys, consumers, retired, logger, redis } = parts
  const key = config.lifecycleStream
  const deps = { events, sign: keys.lifecycleMac, clock, retentionMs: config.lifecycleRetentionMs, consumers }
  let stream: LifecycleStream | undefined
  releasers.add('the lifecycle stream', async () => { stream?.close() })
  const open = (url: string) => {
    stream ??= openLifecycleStream({ url, key })
    return stream
  }
  const publisher = redis === undefined
    ? undefined
    : startPublisher({
      ...deps,
      key,
      retired,
      log: logger,
      stream: async (signal) => open(await redis.whenUrl(signal)),
      completeEpoch: (epochId, entries) => completeLifecycleEpoch({ aggregates, ids, clock }, epochId, entries),
      failpoint: failpointOf(config.failpoint)
    })
  if (publisher !== undefined) releasers.add('the publisher', () => publisher.close())
  return {
    publisher,
    operations: () => {
      const url = redis === undefined ? config.redisUrl : redis.url()
      return url === undefined ? undefined : lifecycleOperations(deps, open(url), publisher)
    }
  }
}

/** Readiness in one: whether there is a Redis, and whether the publisher can go on there. */
export const publisherHealth = (redis: Pick<RedisSource, 'state' | 'remarks'>, status: PublisherStatus | undefined) => ({
  status: redis.state() !== 'ready' ? redis.state() : status?.state ?? 'waiting',
  lagEntries: status?.lagEntries,
  lagMs: status?.lagMs,
  remarks: [...redis.remarks(), ...(status?.alarms ?? []).map(({ message, hint }) => `${message} ${hint}`)]
})
