// Looks whether a Redis is one that a stream can be kept in: eviction, persistence, version, role.
import type { Redis } from 'ioredis'

/** The oldest major version of Redis that is tested. Valkey began with the features of Redis 7. */
const OLDEST_REDIS = 7

type Facts = ReadonlyMap<string, string>

/**
 * What an operator should change, a sentence each; none if all is well. Asks only `INFO`, which a restricted user may.
 * Rejects if the server does not answer.
 */
export const checkRedis = async (client: Redis): Promise<string[]> => judge(factsOf(await client.info()))

/** Exported for its table of cases. */
export const judge = (facts: Facts): string[] => [version(facts), role(facts), eviction(facts), persistence(facts)].filter((remark) => remark !== undefined)

export const factsOf = (info: string): Facts =>
  new Map(info.split(/\r?\n/).flatMap((line) => {
    const [, name, value] = /^([a-z_]+):(.*)$/i.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  }))

const version = (facts: Facts): string | undefined => {
  const redis = facts.get('redis_version') ?? ''
  if (facts.has('valkey_version') || Number.parseInt(redis, 10) >= OLDEST_REDIS) return undefined
  return `Redis ${redis === '' ? 'of an unknown version' : redis} is older than ${OLDEST_REDIS}, the oldest that is tested.`
}

const role = (facts: Facts): string | undefined => facts.get('role') === 'slave'
  ? 'Redis is a replica and takes no writes: CHANCERY_REDIS_URL must name the master.'
  : undefined

const eviction = (facts: Facts): string | undefined => {
  const policy = facts.get('maxmemory_policy')
  return policy === undefined || policy === 'noeviction'
    ? undefined
    : `Redis may throw the lifecycle stream away when its memory is full (maxmemory-policy ${policy}): set maxmemory-policy noeviction.`
}

const persistence = (facts: Facts): string | undefined => {
  if (facts.get('aof_enabled') === '0') {
    return 'Redis keeps no append-only file: after a crash the stream is published again from the log, and consumers see its end disappear for a while. Set appendonly yes.'
  }
  return facts.get('aof_last_write_status') === 'err' ? 'Redis cannot write its append-only file: its disk may be full.' : undefined
}
