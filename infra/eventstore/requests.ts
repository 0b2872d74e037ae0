// Read requests as the Streams service takes them: one stream or $all, either way, bounded or subscribed, filtered by stream name.
import shared from '@eventstore/db-client/generated/shared_pb.js'
import streams from '@eventstore/db-client/generated/streams_pb.js'

/** A place in $all as the store tells it; a checkpoint's prepare may differ from its commit. */
export interface Place { commit: bigint, prepare: bigint }

export interface StreamRead { stream: string, from: bigint | 'start' | 'end', backwards: boolean, limit?: number | undefined }

export interface AllRead {
  /** Inclusive forwards, exclusive backwards and when subscribed. */
  from: Place | 'start' | 'end'
  backwards?: boolean
  limit?: number
  /** Only streams whose names begin with one of these. */
  prefixes?: readonly string[]
  subscribe?: boolean
}

/** Records that the server looks at between two checkpoints, and in one go while nothing matches. */
const WINDOW = 512
const NO_LIMIT = '9007199254740991'

const empty = () => new shared.Empty()

export const identifier = (stream: string) => {
  const id = new shared.StreamIdentifier()
  id.setStreamName(Buffer.from(stream, 'utf8'))
  return id
}

const common = (backwards: boolean, limit: number | undefined) => {
  const options = new streams.ReadReq.Options()
  const uuids = new streams.ReadReq.Options.UUIDOption()
  uuids.setString(empty())
  options.setUuidOption(uuids)
  options.setResolveLinks(false)
  options.setReadDirection(backwards ? 1 : 0)
  options.setCount(limit === undefined ? NO_LIMIT : String(limit))
  return options
}

const requestOf = (options: InstanceType<typeof streams.ReadReq.Options>) => {
  const request = new streams.ReadReq()
  request.setOptions(options)
  return request
}

export const streamRequest = ({ stream, from, backwards, limit }: StreamRead) => {
  const options = common(backwards, limit)
  const target = new streams.ReadReq.Options.StreamOptions()
  target.setStreamIdentifier(identifier(stream))
  if (from === 'start') target.setStart(empty())
  else if (from === 'end') target.setEnd(empty())
  else target.setRevision(String(from))
  options.setStream(target)
  options.setNoFilter(empty())
  return requestOf(options)
}

export const allRequest = ({ from, backwards = false, limit, prefixes, subscribe = false }: AllRead) => {
  const options = common(backwards, limit)
  const target = new streams.ReadReq.Options.AllOptions()
  if (from === 'start') target.setStart(empty())
  else if (from === 'end') target.setEnd(empty())
  else {
    const position = new streams.ReadReq.Options.Position()
    position.setCommitPosition(String(from.commit))
    position.setPreparePosition(String(from.prepare))
    target.setPosition(position)
  }
  options.setAll(target)
  if (subscribe) options.setSubscription(new streams.ReadReq.Options.SubscriptionOptions())
  if (prefixes === undefined) options.setNoFilter(empty())
  else options.setFilter(filterOf(prefixes))
  return requestOf(options)
}

const filterOf = (prefixes: readonly string[]) => {
  const names = new streams.ReadReq.Options.FilterOptions.Expression()
  names.setPrefixList([...prefixes])
  const filter = new streams.ReadReq.Options.FilterOptions()
  filter.setStreamIdentifier(names)
  filter.setMax(WINDOW)
  filter.setCheckpointintervalmultiplier(1)
  return filter
}
