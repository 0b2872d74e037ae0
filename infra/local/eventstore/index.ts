// The local event store: a single node of loopback only that the official client takes for EventStoreDB.
import { GrpcServer, type Method } from './grpc/server.ts'
import { StartError, takeFolder } from './folder.ts'
import { append } from './handlers/append.ts'
import { batchAppend } from './handlers/batch-append.ts'
import { read } from './handlers/read.ts'
import { gossip, remove, supportedMethods } from './handlers/unary.ts'
import { Committer } from './log/committer.ts'
import { EventLog } from './log/log.ts'
import { Pumps } from './reading/pump.ts'
import { Scheduler } from './reading/scheduler.ts'
import { Subscribers } from './reading/subscribers.ts'
import { EventDatabase } from './storage/database.ts'

export { StartError } from './folder.ts'

export interface EventStoreOptions {
  /** Folder of the data; made if it is missing. */
  readonly dataDir: string
  /** 0 takes a free port. */
  readonly port: number
  /** A loopback address; 127.0.0.1 unless told. */
  readonly host?: string
  /** Called when the disk cannot be trusted any more; the process should end. Throws unless told. */
  readonly broken?: (error: Error) => void
}

export interface RunningEventStore {
  readonly port: number
  close (): Promise<void>
}

const LOOPBACK = /^(127(\.\d{1,3}){3}|::1|localhost)$/

const listen = async (server: GrpcServer, host: string, port: number): Promise<number> => {
  try {
    return await server.listen(host, port)
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException
    throw new StartError(code === 'EADDRINUSE' ? `port ${port} is in use: stop what uses it, or choose another with --port` : `cannot listen on ${host}:${port}: ${message}`)
  }
}

/** Opens the folder and serves it. Rejects with a StartError that says in one line what to do. */
export const openEventStore = async ({ dataDir, port, host = '127.0.0.1', broken }: EventStoreOptions): Promise<RunningEventStore> => {
  if (!LOOPBACK.test(host)) throw new StartError(`the local event store listens on loopback only, not on ${host}`)
  const release = await takeFolder(dataDir)
  let database: EventDatabase | undefined
  try {
    database = new EventDatabase(dataDir)
    const log = new EventLog(database)
    const subscribers = new Subscribers()
    const pumps = new Pumps(new Scheduler())
    const committer = new Committer(log, (streams) => { subscribers.wake(streams) }, broken ?? ((error) => { throw error }))
    const address = { host, port }
    const server = new GrpcServer(new Map<string, Method>([
      ['/event_store.client.streams.Streams/Read', read(log, pumps, subscribers)],
      ['/event_store.client.streams.Streams/Append', append(committer)],
      ['/event_store.client.streams.Streams/BatchAppend', batchAppend(committer)],
      ['/event_store.client.streams.Streams/Delete', remove(committer, 'delete')],
      ['/event_store.client.streams.Streams/Tombstone', remove(committer, 'tombstone')],
      ['/event_store.client.server_features.ServerFeatures/GetSupportedMethods', supportedMethods],
      ['/event_store.client.gossip.Gossip/Read', gossip(() => address)]
    ]))
    address.port = await listen(server, host, port)
    const opened = database
    return {
      port: address.port,
      close: async () => {
        committer.drain()
        await server.close()
        committer.drain()
        await opened.close()
        await release()
      }
    }
  } catch (error) {
    await database?.close()
    await release()
    throw error
  }
}
