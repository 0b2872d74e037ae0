// A read model built again from the whole log against the fastest way into the same table: COPY of finished rows.
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import { from as copyFrom } from 'pg-copy-streams'
import { openPostgres } from '../../infra/local/postgres/index.ts'
import { startChancery, type Chancery } from '../chancery.ts'
import { processTree } from '../children.ts'
import { overRounds, rate, rotate, sliceOf, type Contestant } from '../method.ts'
import { median } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

/** Each imported tester is four to six events. */
const TESTERS = 10_000

export const rebuildSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const service = await startChancery(options.dir)
  const postgres = await openPostgres({ home: join(options.dir, 'copy'), durable: true })
  const client = new pg.Client(postgres.url)
  try {
    await client.connect()
    const rows = await seed(service, options.progress)
    const rounds = await rotate([rebuilding(service, rows.length), copying(client, rows, () => [process.pid, ...processTree(postgres.pid)])], options)
    const { differences } = await operate(service, 'verify')
    if (differences !== 0) throw new Error(`the rebuilt read model differs from a fold of the log in ${differences} rows`)
    const rates = (name: string) => median(rounds.map((round) => rate(sliceOf(round, name))))
    return {
      suite: 'rebuild',
      rounds,
      figures: [{
        name: `rebuild of audit, events/s ÷ COPY of the same rows, rows/s (${rows.length} events)`,
        against: 'a ratio of 1 would be a projector that costs nothing',
        ...overRounds(rounds, (round) => rate(sliceOf(round, 'rebuild')) / rate(sliceOf(round, 'copy')))
      }],
      absolute: { 'rebuild, events/s': rates('rebuild'), 'COPY, rows/s': rates('copy') }
    }
  } finally {
    await client.end()
    await postgres.stop()
    await service.stop()
  }
}

/** Fills the log by an import and gives back each event as a line of COPY's text format. */
const seed = async (service: Chancery, progress: (line: string) => void): Promise<string[]> => {
  progress(`importing ${TESTERS} testers`)
  const rows = Array.from({ length: TESTERS }, (_, i) => ({
    email: `tester-${i}@bench.example`, invited_at: '2026-01-01T00:00:00Z', token_consumed_at: '2026-01-02T00:00:00Z', user_created_at: '2026-01-02T00:01:00Z', passkeys: i % 2
  }))
  await service.request('POST', '/api/v1/console/beta/testers/import', { rows })
  return (await service.replay()).map((line) => {
    const event = JSON.parse(line) as { position: string, id: string, stream: string, revision: string, type: string, created: string, metadata: { occurredAt: string, actor: { type: string, id: string }, commandId: string } }
    const { occurredAt, actor, commandId } = event.metadata
    return [event.position, event.id, event.stream, event.revision, event.type, occurredAt, event.created, actor.type, actor.id, commandId].join('\t')
  })
}

interface Operation { operation_id: string, status: string, detail?: string, differences?: number }

const PATH = '/api/v1/operations/projections'

/** Starts a rebuild or verification and follows it to its end. */
const operate = async (service: Chancery, kind: 'rebuild' | 'verify'): Promise<Operation> => {
  let operation = await service.request<Operation>('POST', `${PATH}/audit/${kind}`, {})
  while (operation.status === 'running') {
    await delay(20)
    operation = await service.request<Operation>('GET', `${PATH}/operations/${operation.operation_id}`)
  }
  if (operation.status !== 'done') throw new Error(`the ${kind} ended ${operation.status}: ${operation.detail}`)
  return operation
}

const rebuilding = (service: Chancery, events: number): Contestant => ({
  name: 'rebuild',
  pids: () => processTree(service.pid),
  slice: async () => {
    const started = performance.now()
    await operate(service, 'rebuild')
    return whole(events, started)
  }
})

const copying = (client: pg.Client, rows: readonly string[], pids: () => number[]): Contestant => ({
  name: 'copy',
  pids,
  slice: async () => {
    const started = performance.now()
    await client.query('drop table if exists audit_events')
    await client.query(`create table audit_events (position bigint primary key, event_id uuid not null, stream text not null, revision bigint not null,
      type text not null, occurred_at timestamptz not null, created timestamptz not null, actor_type text not null, actor_id text not null, command_id text not null)`)
    for (const column of ['stream', 'type', 'created', 'command_id', 'actor_id']) await client.query(`create index on audit_events (${column}, position)`)
    await pipeline(Readable.from(chunks(rows)), client.query(copyFrom('copy audit_events from stdin')))
    return whole(rows.length, started)
  }
})

const whole = (operations: number, started: number) =>
  ({ operations, seconds: (performance.now() - started) / 1000, latencies: [performance.now() - started] })

/** 64 KiB or so at a time, as a client would write them. */
function * chunks (rows: readonly string[]): Generator<string> {
  for (let i = 0; i < rows.length; i += 500) yield `${rows.slice(i, i + 500).join('\n')}\n`
}
