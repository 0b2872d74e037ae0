// A warm command over HTTP against the same command as Fastify + Postgres with an outbox: the price of appending first.
import { createHash, randomBytes, randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import pg from 'pg'
import { openPostgres } from '../../infra/local/postgres/index.ts'
import { startChancery } from '../chancery.ts'
import { childLine, peer, processTree } from '../children.ts'
import { roleChanges, type Load } from '../load.ts'
import { overRounds, rate, rotate, sliceOf, type Contestant } from '../method.ts'
import { median, quantile } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

const PRINCIPALS = 2_000
const LANES = [1, 32]

export const commandSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const chancery = await enterChancery(options)
  const outbox = await enterOutbox(options)
  try {
    const contestants = LANES.flatMap((lanes) => [contestant(chancery, lanes), contestant(outbox, lanes)])
    const rounds = await rotate(contestants, options)
    await chancery.check()
    await outbox.check()
    const slices = (name: string) => rounds.map((round) => sliceOf(round, name))
    return {
      suite: 'command',
      rounds,
      figures: LANES.map((lanes) => ({
        name: `warm command ÷ the same as Fastify + Postgres outbox, rate at ${lanes} in flight`,
        against: 'goal: 1.0 and more',
        ...overRounds(rounds, (round) => rate(sliceOf(round, `chancery ${lanes}`)) / rate(sliceOf(round, `outbox ${lanes}`)))
      })),
      absolute: Object.fromEntries(contestants.flatMap(({ name }) => [
        [`${name}: commands/s`, median(slices(name).map(rate))],
        [`${name}: p50, ms`, median(slices(name).flatMap(({ latencies }) => latencies))],
        [`${name}: p99, ms`, quantile(slices(name).flatMap(({ latencies }) => latencies), 0.99)],
        [`${name}: CPU-µs a command, all processes`, median(slices(name).map(({ cpuMicros, operations }) => cpuMicros / operations))]
      ]))
    }
  } finally {
    await outbox.stop()
    await chancery.stop()
  }
}

interface Contender {
  name: string
  loads: Map<number, Load>
  pids: () => number[]
  /** Throws unless every acknowledged change is there. */
  check: () => Promise<void>
  stop: () => Promise<void>
}

const contestant = ({ name, loads, pids }: Contender, lanes: number): Contestant => {
  const load = loads.get(lanes)
  if (load === undefined) throw new Error(`${name} has no load of ${lanes}`)
  return { name: `${name} ${lanes}`, pids, slice: (milliseconds) => load.run(milliseconds) }
}

/** A set of principals for each load: the loads take turns, and each keeps its own count of visits. */
const loadsOf = (url: string, token: string, principals: readonly string[]): Map<number, Load> =>
  new Map(LANES.map((lanes, i) => [lanes, roleChanges({ url, token, principals: principals.filter((_, k) => k % LANES.length === i) }, lanes)]))

const changes = (loads: Map<number, Load>): number => [...loads.values()].reduce((sum, load) => sum + load.changed(), 0)

const enterChancery = async ({ dir, progress }: SuiteOptions): Promise<Contender> => {
  const service = await startChancery(dir)
  const principals: string[] = []
  while (principals.length < PRINCIPALS) {
    const made = await Promise.all(Array.from({ length: 50 }, () =>
      service.request<{ principal_id: string }>('POST', '/api/v1/principals', { name: 'bench', kind: 'service' })))
    principals.push(...made.map((principal) => principal.principal_id))
    progress(`${principals.length} of ${PRINCIPALS} principals`)
  }
  const loads = loadsOf(service.url, service.token, principals)
  return {
    name: 'chancery',
    loads,
    pids: () => processTree(service.pid),
    check: async () => {
      const counted = (await service.replay()).filter((line) => /"principal\.role_(granted|revoked)"/.test(line)).length
      if (counted !== changes(loads)) throw new Error(`chancery: ${changes(loads)} changes acknowledged, ${counted} in the log`)
    },
    stop: () => service.stop()
  }
}

const enterOutbox = async ({ dir }: SuiteOptions): Promise<Contender> => {
  const postgres = await openPostgres({ home: join(dir, 'outbox'), durable: true })
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query(readFileSync(new URL('../peers/outbox/schema.sql', import.meta.url), 'utf8'))
  const principals = Array.from({ length: PRINCIPALS }, () => randomUUID())
  await client.query('insert into principals (id) select unnest($1::uuid[])', [principals])
  const token = randomBytes(32).toString('base64url')
  const server = await childLine([peer('outbox/server.js'), postgres.url, createHash('sha256').update(token).digest('hex')])
  const loads = loadsOf(`http://127.0.0.1:${server.line}`, token, principals)
  return {
    name: 'outbox',
    loads,
    pids: () => [server.pid, ...processTree(postgres.pid)],
    check: async () => {
      const { rows } = await client.query<{ count: string }>('select count(*) from outbox')
      if (Number(rows[0]?.count) !== changes(loads)) throw new Error(`outbox: ${changes(loads)} changes acknowledged, ${rows[0]?.count} there`)
    },
    stop: async () => {
      await server.stop()
      await client.end()
      await postgres.stop()
    }
  }
}
