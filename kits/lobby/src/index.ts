// The kit's public face: a consumer of Chancery's lifecycle stream, its stores, and the service's side of it.
export { createLifecycleConsumer } from './consumer.ts'
export { emptyDigest, extendDigest, type RollingDigest } from './digest.ts'
export { readEntry, type EntryProblem, type LifecycleEntry, type LifecycleType, type MacKeys } from './entry.ts'
export { postgresStore, type PgClient, type PostgresStoreOptions } from './postgres.ts'
export {
  createLifecycleService, macKeysFrom, ServiceRefusal, type LifecycleService, type Receipt, type ServiceOptions, type Snapshot, type SnapshotUser
} from './service.ts'
export { HandlerFailed, LeaseLost, type ConsumerStore, type Lease, type ParkedEntry, type Standing } from './store.ts'
export type {
  Alarm, AlarmReason, LifecycleConsumer, LifecycleConsumerEvents, LifecycleConsumerOptions, LifecycleConsumerState, SnapshotNeed
} from './types.ts'
