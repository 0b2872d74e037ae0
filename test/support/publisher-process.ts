// A publisher as a process of its own, to be killed: the log, Redis and nothing else. Its first line says that it publishes.
import { failpointOf, withFailpoint } from '../../infra/failpoints.ts'
import { uuidIds } from '../../infra/ids.ts'
import { openLog } from '../../infra/eventstore/index.ts'
import { openLifecycleStream } from '../../infra/redis/stream.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { completeLifecycleEpoch } from '../../src/commands/lifecycle/epochs.ts'
import { startPublisher } from '../../src/publisher/publisher.ts'
import { STREAM, testSign } from './lifecycle.ts'

const [eventStore = '', redis = '', failpoint] = process.argv.slice(2)
const never = () => Promise.reject(new Error('nothing here is sealed'))
const log = await openLog({ url: eventStore, vault: { seal: never, open: never } })
const clock = { now: () => new Date() }
const aggregates = createAggregates(withFailpoint(log, failpoint), uuidIds)
const stream = openLifecycleStream({ url: redis, key: STREAM })
startPublisher({
  events: log,
  stream: async () => stream,
  key: STREAM,
  sign: testSign,
  clock,
  retentionMs: 30 * 86_400_000,
  consumers: async () => [],
  completeEpoch: (epochId, entries) => completeLifecycleEpoch({ aggregates, ids: uuidIds, clock }, epochId, entries),
  failpoint: failpointOf(failpoint),
  log: { info: (_, message) => { process.stdout.write(`${message}\n`) }, warn: () => {}, error: () => {} },
  timing: { firstPauseMs: 10, longestPauseMs: 100, lookEveryMs: 50 }
})
