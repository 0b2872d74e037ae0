// A lobby's race name directory: releases the names of whoever is blocked for good or deleted, and sends receipts.
import { once } from 'node:events'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { createLifecycleConsumer, createLifecycleService, macKeysFrom, postgresStore } from '../../kits/lobby/src/index.ts'
import { createApi } from './api.ts'
import { isSettled, prepareTables, releaseNames, SCHEMA, sweepUnconfirmed } from './names.ts'
import { postReceipts } from './receipts.ts'
import { readSettings } from './settings.ts'

const say = (line: string): void => { process.stdout.write(`${line}\n`) }
const settings = readSettings(process.env)
const { consumer: name, stream, redisUrl, chanceryUrl, chanceryToken } = settings

const parallel = 8
// Two for the kit beside its handlers, the rest for receipts and the API.
const pool = new pg.Pool({ connectionString: settings.postgresUrl, max: parallel + 6 })
pool.on('error', (error) => { say(`a connection to Postgres was lost: ${error.message}`) })
await prepareTables(pool)
await sweepUnconfirmed(pool)
const sweeping = setInterval(() => { sweepUnconfirmed(pool).catch(trouble) }, 60_000)

const service = createLifecycleService({ url: chanceryUrl, token: chanceryToken })
let last = ''
/** Said once for as long as it lasts: the kit tries again every half a second. */
const trouble = (error: unknown): void => {
  const line = `trouble: ${error instanceof Error ? error.message : String(error)}`
  if (line !== last) say(line)
  last = line
}

// Until Chancery knows the consumer it takes no receipts; following the stream need not wait for that.
const stopped = new AbortController()
const register = async (): Promise<void> => {
  while (!stopped.signal.aborted) {
    try {
      return await service.register(name, { group: name, overdueMs: settings.overdueMs })
    } catch (error) {
      trouble(error)
      await delay(1_000, undefined, { signal: stopped.signal }).catch(() => {})
    }
  }
}
const registering = register()
const poster = postReceipts({ pool, service, consumer: name, onTrouble: trouble })

const consumer = createLifecycleConsumer<pg.PoolClient>({
  name,
  group: name,
  redis: redisUrl,
  stream,
  service,
  parallel,
  leaseMs: settings.leaseMs,
  // A member that was stopped in the middle of a transaction keeps its locks so long; the next one waits for them.
  store: postgresStore<pg.PoolClient>({ pool, prefix: `${SCHEMA}.lifecycle_`, idleMs: Math.max(settings.leaseMs, 2_000) }),
  macKeys: macKeysFrom(service, name),
  handle: async (entry, tx) => {
    // A later version of Chancery may publish more than this directory acts on.
    if (entry.type !== 'user.lifecycle.deleted' && entry.type !== 'user.lifecycle.permanent_blocked') return
    await releaseNames(tx, entry)
  },
  // Entries were trimmed while nobody here was running: each user's last one says the same.
  onSnapshotNeeded: async ({ after, snapshot }, tx) => {
    for await (const entry of snapshot.users()) if (entry.position > after && !await isSettled(tx, entry.position)) await releaseNames(tx, entry)
  }
})
consumer.on('settled', (entry) => {
  poster.wake()
  last = ''
  say(`settled ${entry.position} ${entry.type} ${entry.userId}`)
})
consumer.on('active', ({ fence }) => { say(`active with fence ${fence}`) })
consumer.on('standby', () => { say('standing by') })
consumer.on('parked', (entry, { error }) => { say(`parked ${entry.position}: ${error}`) })
consumer.on('trimmed', ({ after, upTo }) => { say(`entries after ${after} up to ${upTo} were trimmed unread`) })
consumer.on('restarted', ({ position }) => { say(`a snapshot as of ${position} is in`) })
consumer.on('alarm', ({ reason, detail }) => { say(`ALARM ${reason}: ${detail}`) })
consumer.on('recovered', ({ reason }) => { say(`recovered from ${reason}`) })
consumer.on('trouble', trouble)
consumer.start()

/** Unknown and deleted users are 404; the marker of private games stands for having a name to play under. */
const mayHaveNames = async (userId: string): Promise<boolean> => {
  const response = await fetch(`${chanceryUrl}/api/v1/lobby/users/${userId}/eligibility`, { headers: { authorization: `Bearer ${chanceryToken}` }, signal: AbortSignal.timeout(5_000) })
  if (response.status === 404) return false
  if (!response.ok) throw new Error(`Chancery answered ${response.status}`)
  const { eligibility } = await response.json() as { eligibility: { can_join_game: { allowed: boolean } } }
  return eligibility.can_join_game.allowed
}
const server = createApi({ pool, consumer, mayHaveNames })
server.listen(settings.port, settings.host)
await once(server, 'listening')
say(`The race name directory is ready at http://${settings.host}:${(server.address() as AddressInfo).port}`)

const stop = async (): Promise<void> => {
  if (stopped.signal.aborted) return
  stopped.abort()
  clearInterval(sweeping)
  server.close()
  server.closeAllConnections()
  await Promise.all([consumer.stop(), registering])
  await poster.stop()
  await pool.end()
}
process.on('SIGTERM', () => { void stop() })
process.on('SIGINT', () => { void stop() })
