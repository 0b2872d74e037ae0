// One gRPC connection to the event store: address, credentials and discovery from an esdb:// string, and its signs of life.
import { readFileSync } from 'node:fs'
import { connectivityState, credentials, Metadata, type ChannelCredentials, type ClientOptions } from '@grpc/grpc-js'
import { discoverEndpoint } from '@eventstore/db-client/dist/Client/discovery.js'
import { parseConnectionString, type ConnectionOptions } from '@eventstore/db-client/dist/Client/parseConnectionString.js'
import { ServerFeaturesClient } from '@eventstore/db-client/generated/serverfeatures_grpc_pb.js'
import shared from '@eventstore/db-client/generated/shared_pb.js'
import { StreamsClient } from '@eventstore/db-client/generated/streams_grpc_pb.js'
import { NotReached } from './failures.ts'

/** How long a connected server may take to answer the cheapest of questions before it counts as gone. */
export const PROBE_MS = 250

export type Target = ConnectionOptions

/** @throws Error if it is not an `esdb://` or `esdb+discover://` connection string */
export const targetOf = (url: string): Target => parseConnectionString(url)

const isCluster = ({ dnsDiscover, hosts }: Target): boolean => dnsDiscover || hosts.length > 1

const STALL_MS = 100

export interface Connection {
  streams: StreamsClient
  metadata (): Metadata
  /** Resolves when connected, rejects with NotReached after `ms`. */
  ready (ms: number): Promise<void>
  /** Resolves if the server answers a question that needs no disk, rejects after PROBE_MS. */
  alive (): Promise<void>
  close (): void
}

/**
 * The client's own settings are fixed and back off up to two minutes; ours come back within a second, share no socket with
 * another connection, and never resend by themselves: what may have been written is this adapter's to judge.
 */
const channelOptions: ClientOptions = {
  'grpc.use_local_subchannel_pool': 1,
  'grpc.initial_reconnect_backoff_ms': 50,
  'grpc.max_reconnect_backoff_ms': 500,
  'grpc.keepalive_time_ms': 10_000,
  'grpc.keepalive_timeout_ms': 5_000,
  'grpc.enable_retries': 0,
  'grpc.max_receive_message_length': 17 * 1024 * 1024
}

/** @throws Error if a certificate file is missing or no node of the cluster answers */
export const openConnection = async (options: Target): Promise<Connection> => {
  const channel = credentialsOf(options)
  const address = await addressOf(options, channel)
  const streams = new StreamsClient(address, channel, channelOptions)
  const features = new ServerFeaturesClient(address, channel, { channelOverride: streams.getChannel() })
  let probe: Promise<void> | undefined

  return {
    streams,
    metadata: () => metadataOf(options),
    ready: (ms) => {
      if (streams.getChannel().getConnectivityState(true) === connectivityState.READY) return Promise.resolve()
      return unlessStalled(ms, () => new Promise((resolve, reject) => {
        streams.waitForReady(Date.now() + ms, (error) => {
          if (error === undefined) resolve()
          else reject(new NotReached(`${address} was not reached within ${ms} ms`, { cause: error }))
        })
      }))
    },
    alive: () => {
      probe ??= unlessStalled(PROBE_MS, () => new Promise<void>((resolve, reject) => {
        features.getSupportedMethods(new shared.Empty(), metadataOf(options), { deadline: Date.now() + PROBE_MS }, (error) => {
          if (error === null) resolve()
          else reject(error)
        })
      })).finally(() => { probe = undefined })
      return probe
    },
    close: () => { streams.close() }
  }
}

/**
 * After a standstill of this process, timers fire before what has arrived meanwhile is read. An attempt that failed much
 * later than its limit says nothing about the other side, and is made once more.
 */
const unlessStalled = async (ms: number, attempt: () => Promise<void>): Promise<void> => {
  const started = performance.now()
  try {
    await attempt()
  } catch (error) {
    if (performance.now() - started < ms + STALL_MS) throw error
    await attempt()
  }
}

const credentialsOf = ({ tls, tlsCAFile, userCertFile, userKeyFile }: ConnectionOptions): ChannelCredentials => {
  if (tls === false) return credentials.createInsecure()
  const file = (path: string | undefined) => path === undefined ? null : readFileSync(path)
  return credentials.createSsl(file(tlsCAFile), file(userKeyFile), file(userCertFile))
}

const metadataOf = ({ tls, connectionName, defaultCredentials }: ConnectionOptions): Metadata => {
  const metadata = new Metadata()
  metadata.set('connection-name', connectionName ?? 'chancery')
  // As the client does: a password never travels over a connection that anybody can read.
  if (tls !== false && defaultCredentials !== undefined) {
    const { username, password } = defaultCredentials
    metadata.set('authorization', `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`)
  }
  return metadata
}

/** A single node is its own address; of a cluster, gossip names the leader. */
const addressOf = async (options: ConnectionOptions, channel: ChannelCredentials): Promise<string> => {
  const [first] = options.hosts
  if (first === undefined) throw new Error('the connection string names no host')
  if (!isCluster(options)) return `${first.address}:${first.port}`
  const { maxDiscoverAttempts = 3, gossipTimeout = 1, nodePreference, discoveryInterval } = options
  const settings = {
    maxDiscoverAttempts, gossipTimeout, ...(nodePreference && { nodePreference }), ...(discoveryInterval !== undefined && { discoveryInterval })
  }
  const found = await discoverEndpoint(
    options.dnsDiscover ? { ...settings, discover: first } : { ...settings, endpoints: options.hosts }, channel)
  return `${found.address}:${found.port}`
}
