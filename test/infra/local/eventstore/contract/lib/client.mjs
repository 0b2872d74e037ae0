// The official client, its generated gRPC definitions, and grpc-js.
// They are CommonJS modules, and grpc-js must be the very copy that the client
// uses (channels and metadata are recognised by class), so it is resolved from
// the client's own location.
import { createRequire } from 'node:module'

const require = createRequire(import.meta.url)
const fromClient = createRequire(require.resolve('@eventstore/db-client'))

export const es = require('@eventstore/db-client')
export const grpc = fromClient('@grpc/grpc-js')

const generated = (name) => require(`@eventstore/db-client/generated/${name}`)

export const streamsPb = generated('streams_pb.js')
export const sharedPb = generated('shared_pb.js')
export const monitoringPb = generated('monitoring_pb.js')

export const { StreamsClient, StreamsService } = generated('streams_grpc_pb.js')
export const { ServerFeaturesClient } = generated('serverfeatures_grpc_pb.js')
export const { GossipClient } = generated('gossip_grpc_pb.js')
export const { MonitoringClient } = generated('monitoring_grpc_pb.js')

export const { Empty: GoogleEmpty } = fromClient('google-protobuf/google/protobuf/empty_pb.js')
export const { Timestamp } = fromClient('google-protobuf/google/protobuf/timestamp_pb.js')

export const CLIENT_VERSION = require('@eventstore/db-client/package.json').version
