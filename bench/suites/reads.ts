// Reads: one account by its id against an ordinary Fastify + Postgres service, and the admin list with few and with many accounts.
import { createHash, randomBytes } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { Agent } from 'node:http'
import { join } from 'node:path'
import pg from 'pg'
import { openPostgres } from '../../infra/local/postgres/index.ts'
import { chanceryWith, SHARES, type Account, type FullChancery } from '../accounts.ts'
import { childLine, peer, processTree } from '../children.ts'
import { call } from '../load.ts'
import { overRounds, rate, rotate, sliceOf, type Contestant, type Slice } from '../method.ts'
import { median, quantile } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

const FEW = 1_000
const MANY = 100_000
/** Accounts read by id. */
const READ = 2_000
const LANES = [1, 32]
const PATH = '/api/v1/admin/users'
const PAGE = 50

export const readsSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const few = await chanceryWith(FEW, options)
  const many = await chanceryWith(MANY, options)
  const ordinary = await enterPeer(options, many.accounts)
  try {
    const living = many.accounts.filter(({ deleted }) => !deleted).slice(-READ)
    const contestants = [
      ...LANES.flatMap((lanes) => [reading('chancery', many, living, lanes), reading('ordinary', ordinary, living, lanes)]),
      await listing('list of few', few), await listing('list of many', many)
    ]
    const rounds = await rotate(contestants, options)
    await complete(few)
    await complete(many)
    const slices = (name: string) => rounds.map((round) => sliceOf(round, name))
    const p50 = (slice: Slice): number => median(slice.latencies)
    return {
      suite: 'reads',
      rounds,
      figures: [
        ...LANES.map((lanes) => ({
          name: `an account by its id ÷ the same from Fastify + Postgres, rate at ${lanes} in flight`,
          against: 'goal: 1.0 and more',
          ...overRounds(rounds, (round) => rate(sliceOf(round, `chancery ${lanes}`)) / rate(sliceOf(round, `ordinary ${lanes}`)))
        })),
        {
          name: `a page of the admin list with ${MANY} accounts ÷ with ${FEW}, p50`,
          against: 'goal: 1.0, it must not grow',
          ...overRounds(rounds, (round) => p50(sliceOf(round, 'list of many')) / p50(sliceOf(round, 'list of few')))
        }
      ],
      absolute: Object.fromEntries(contestants.flatMap(({ name }) => [
        [`${name}: answers/s`, median(slices(name).map(rate))],
        [`${name}: p50, ms`, median(slices(name).flatMap(({ latencies }) => latencies))],
        [`${name}: p99, ms`, quantile(slices(name).flatMap(({ latencies }) => latencies), 0.99)],
        [`${name}: CPU-µs an answer, all processes`, median(slices(name).map(({ cpuMicros, operations }) => cpuMicros / operations))]
      ]))
    }
  } finally {
    await ordinary.stop()
    await many.stop()
    await few.stop()
  }
}

interface Target { url: string, token: string, pids: () => number[] }

/** GETs in a closed loop over `paths`; `check` throws for an answer that is not what it has to be. */
const getting = (name: string, { url, token, pids }: Target, paths: readonly string[], lanes: number, check: (body: string, n: number) => void): Contestant => {
  const agent = new Agent({ keepAlive: true, maxSockets: lanes })
  let visits = 0
  return {
    name,
    pids,
    slice: async (milliseconds) => {
      const latencies: number[] = []
      const started = performance.now()
      await Promise.all(Array.from({ length: lanes }, async () => {
        while (performance.now() - started < milliseconds) {
          const n = visits++ % paths.length
          const before = performance.now()
          const { status, body } = await call(url + (paths[n] ?? ''), { agent, method: 'GET', headers: { authorization: `Bearer ${token}` } })
          latencies.push(performance.now() - before)
          if (status !== 200) throw new Error(`${name} answered ${status}: ${body}`)
          check(body, n)
        }
      }))
      return { operations: latencies.length, seconds: (performance.now() - started) / 1000, latencies }
    }
  }
}

const reading = (name: string, target: Target, accounts: readonly Account[], lanes: number): Contestant =>
  getting(`${name} ${lanes}`, target, accounts.map(({ userId }) => `${PATH}/${userId}`), lanes, (body, n) => {
    if (!body.includes(`"email":"${accounts[n]?.email ?? ''}"`)) throw new Error(`${name}: not the account asked for: ${body}`)
  })

interface Listed { items: Array<{ user_id: string }>, next_cursor: string | null }

/** The newest page, one from the middle, one from each end of the filters, and an exact address, in turn. */
const listing = async (name: string, service: FullChancery): Promise<Contestant> => {
  const { accounts } = service
  const middle = accounts[Math.floor(accounts.length / 2 / SHARES.deleted) * SHARES.deleted] ?? accounts[0]
  const cursor = await cursorAt(service, middle?.userId ?? '')
  const expected: Array<[query: string, items: number]> = [
    ['', PAGE],
    [`&cursor=${cursor}`, PAGE],
    ['&direction=forwards', PAGE],
    ['&sanction=login_block', Math.min(PAGE, living(accounts, ({ sanction }) => sanction !== undefined))],
    ['&limit_code=max_registered_race_names&limit_value=5', Math.min(PAGE, living(accounts, ({ limit }) => limit !== undefined))],
    ['&tariff=gold', Math.min(PAGE, living(accounts, ({ tariff }) => tariff !== undefined))],
    [`&email=${accounts[0]?.email ?? ''}`, 1]
  ]
  // Pages of the same size on both sides: filters that few accounts meet are asked for as many as there are among the few.
  const size = [PAGE, PAGE, PAGE, 10, 20, 5, 1]
  return getting(name, service, expected.map(([query], n) => `${PATH}?limit=${size[n] ?? PAGE}${query}`), 1, (body, n) => {
    const wanted = Math.min(size[n] ?? PAGE, expected[n]?.[1] ?? 0)
    const { items } = JSON.parse(body) as Listed
    if (items.length !== wanted) throw new Error(`${name}: ${items.length} accounts on the page of ${wanted} (${expected[n]?.[0] ?? ''})`)
  })
}

const living = (accounts: readonly Account[], has: (account: Account) => boolean): number => accounts.filter((account) => !account.deleted && has(account)).length

/** A cursor is the first position of an account, which the service alone knows: that of its only event so far. */
const cursorAt = async (service: FullChancery, userId: string): Promise<string> => {
  const timeline = await service.request<{ items: Array<{ position: string }> }>('GET', `${PATH}/${userId}/timeline?direction=forwards&limit=1`)
  return timeline.items[0]?.position ?? '0'
}

/** A benchmark over a list that lacks somebody prints no figure: every living account is there once. */
const complete = async (service: FullChancery): Promise<void> => {
  const seen = new Set<string>()
  for (let cursor: string | null = ''; cursor !== null;) {
    const page: Listed = await service.request<Listed>('GET', `${PATH}?limit=1000${cursor === '' ? '' : `&cursor=${cursor}`}`)
    for (const { user_id: userId } of page.items) seen.add(userId)
    cursor = page.next_cursor
  }
  const wanted = service.accounts.filter(({ deleted }) => !deleted)
  if (seen.size !== wanted.length || wanted.some(({ userId }) => !seen.has(userId))) throw new Error(`the list has ${seen.size} of ${wanted.length} accounts`)
}

const enterPeer = async ({ dir }: SuiteOptions, accounts: readonly Account[]): Promise<Target & { stop: () => Promise<void> }> => {
  const postgres = await openPostgres({ home: join(dir, 'ordinary'), durable: true })
  const client = new pg.Client(postgres.url)
  await client.connect()
  await client.query(readFileSync(new URL('../peers/accounts/schema.sql', import.meta.url), 'utf8'))
  const sanctioned = accounts.filter(({ sanction }) => sanction !== undefined)
  const limited = accounts.filter(({ limit }) => limit !== undefined)
  await client.query(`insert into accounts (user_id, email, tariff, tariff_since, created_at, deleted_at, position, revision)
    select *, 1, 0 from unnest($1::uuid[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::timestamptz[])`, [
    accounts.map(({ userId }) => userId), accounts.map(({ email }) => email), accounts.map(({ tariff }) => tariff ?? null),
    accounts.map(({ tariff, createdAt }) => tariff === undefined ? null : createdAt), accounts.map(({ createdAt }) => createdAt),
    accounts.map(({ deleted, createdAt }) => deleted ? createdAt : null)
  ])
  await client.query("insert into sanctions (sanction_id, user_id, code, scope, starts_at) select s, u, 'login_block', 'platform', t from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) as x(s, u, t)", [
    sanctioned.map(({ sanction }) => sanction?.sanctionId), sanctioned.map(({ userId }) => userId), sanctioned.map(({ createdAt }) => createdAt)
  ])
  await client.query("insert into limits (user_id, code, value, set_at) select u, 'max_registered_race_names', v, t from unnest($1::uuid[], $2::int[], $3::timestamptz[]) as x(u, v, t)", [
    limited.map(({ userId }) => userId), limited.map(({ limit }) => limit), limited.map(({ createdAt }) => createdAt)
  ])
  await client.query('analyze')
  await client.end()
  const token = randomBytes(32).toString('base64url')
  const server = await childLine([peer('accounts/server.js'), postgres.url, createHash('sha256').update(token).digest('hex')])
  return {
    url: `http://127.0.0.1:${server.line}`,
    token,
    pids: () => [server.pid, ...processTree(postgres.pid)],
    stop: async () => {
      await server.stop()
      await postgres.stop()
    }
  }
}
