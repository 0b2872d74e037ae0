// Start-up time and anonymous memory of the local event store with many events: `npx tsx bench/eventstore/start-and-memory.ts [EVENTS] [FOLDER]`.
import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { EventStoreDBClient, START, jsonEvent } from '@eventstore/db-client'
import { takeFolder } from '../../infra/local/eventstore/folder.ts'
import { NO_STREAM } from '../../infra/local/eventstore/log/decide.ts'
import { EventLog } from '../../infra/local/eventstore/log/log.ts'
import { EventDatabase } from '../../infra/local/eventstore/storage/database.ts'

const EVENTS_A_STREAM = 10
const STREAMS_A_TRANSACTION = 2_000
const STARTS = 10
const IN_FLIGHT = 128
const SUBSCRIBERS = 100
const LOAD_MS = 10_000
/** Subscribers live in processes of their own, so that what is measured is the server and not their decoding. */
const SUBSCRIBER_PROCESSES = 2

const main = resolve(import.meta.dirname, '../../dist/infra/local/eventstore/main.js')
const say = (line: string): void => { process.stdout.write(`${line}\n`) }

/** Writes events straight into the folder until it holds that many. */
const fill = async (folder: string, events: number): Promise<void> => {
  const release = await takeFolder(folder)
  const database = new EventDatabase(folder)
  const log = new EventLog(database)
  const data = Buffer.from(JSON.stringify({ n: 1, text: 'x'.repeat(150) }))
  const started = Date.now()
  for (let written = 0; written < events;) {
    database.write(() => {
      for (let i = 0; i < STREAMS_A_TRANSACTION && written < events; i++, written += EVENTS_A_STREAM) {
        const batch = Array.from({ length: EVENTS_A_STREAM }, () => ({ id: randomUUID(), type: 'account.noted', json: true, data, metadata: Buffer.alloc(0) }))
        log.append(`account-${written}`, { version: NO_STREAM }, batch)
      }
    })
  }
  say(`filled with ${events} events in ${((Date.now() - started) / 1000).toFixed(0)} s: ${(statSync(join(folder, 'events.mdb')).size / 2 ** 30).toFixed(2)} GiB`)
  await database.close()
  await release()
}

const memoryOf = ({ pid = 0 }: ChildProcess): number => Number(/RssAnon:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024

const start = async (folder: string): Promise<{ child: ChildProcess, port: number, ms: number }> => {
  const began = performance.now()
  const child = spawn(process.execPath, ['--enable-source-maps', main, '--data', folder, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] })
  if (!child.stdout) throw new Error('no output')
  const [line] = await once(createInterface(child.stdout), 'line') as [string]
  return { child, port: Number(/127\.0\.0\.1:(\d+)/.exec(line)?.[1]), ms: performance.now() - began }
}

const stop = async (child: ChildProcess): Promise<void> => {
  child.kill('SIGTERM')
  await once(child, 'exit')
}

const clientOf = (port: number): EventStoreDBClient => EventStoreDBClient.connectionString(`esdb://127.0.0.1:${port}?tls=false`)

/** 128 appends in flight and 100 live subscribers for ten seconds; the peak of the server's anonymous memory. */
const load = async (folder: string): Promise<void> => {
  const { child, port } = await start(folder)
  const idle = memoryOf(child)
  const subscribers = Array.from({ length: SUBSCRIBER_PROCESSES }, () =>
    spawn(process.execPath, ['--import', 'tsx', import.meta.filename, 'subscribe', String(port), String(SUBSCRIBERS / SUBSCRIBER_PROCESSES)], { stdio: ['ignore', 'pipe', 'inherit'] }))
  for (const { stdout } of subscribers) if (stdout) await once(stdout, 'data')
  const client = clientOf(port)
  let peak = 0
  const timer = setInterval(() => { peak = Math.max(peak, memoryOf(child)) }, 50)
  const until = Date.now() + LOAD_MS
  const latencies: number[] = []
  await Promise.all(Array.from({ length: IN_FLIGHT }, async (_, n) => {
    while (Date.now() < until) {
      const began = performance.now()
      await client.appendToStream(`load-${n}`, jsonEvent({ type: 'load', data: { text: 'x'.repeat(300) } }))
      latencies.push(performance.now() - began)
    }
  }))
  clearInterval(timer)
  latencies.sort((a, b) => a - b)
  const at = (share: number): string => (latencies[Math.floor(latencies.length * share)] ?? 0).toFixed(1)
  say(`${IN_FLIGHT} appends in flight, ${SUBSCRIBERS} subscribers: RssAnon idle ${idle.toFixed(0)} MB, peak ${peak.toFixed(0)} MB (goal: below 120)`)
  say(`  ${(latencies.length / LOAD_MS * 1000).toFixed(0)} appends/s, p50 ${at(0.5)} ms, p99 ${at(0.99)} ms`)
  for (const subscriber of subscribers) subscriber.kill()
  await stop(child)
}

const subscribe = async (port: number, count: number): Promise<void> => {
  const client = clientOf(port)
  await Promise.all(Array.from({ length: count }, async () => {
    const subscription = client.subscribeToAll({ fromPosition: 'end' })
    subscription.on('data', () => {})
    await once(subscription, 'confirmation')
  }))
  say('subscribed')
}

const bench = async (events: number, given: string | undefined): Promise<void> => {
  if (!existsSync(main)) throw new Error('run `npm run build` first: what is measured is the built store')
  const folder = given ?? mkdtempSync(join(tmpdir(), 'chancery-bench-'))
  if (!existsSync(join(folder, 'events.mdb'))) await fill(folder, events)
  const times: number[] = []
  for (let i = 0; i < STARTS; i++) {
    const { child, port, ms } = await start(folder)
    times.push(ms)
    if (i === 0) {
      const client = clientOf(port)
      let seen = 0
      for await (const { event } of client.readAll({ fromPosition: START, maxCount: 100 })) if (event) seen++
      say(`the first read after the start found ${seen} events`)
      await client.dispose()
    }
    await stop(child)
  }
  say(`start to ready: ${times.map((ms) => ms.toFixed(0)).join(' ')} ms (goal: below 500)`)
  await load(folder)
  if (given === undefined) rmSync(folder, { recursive: true })
  process.exit(0)
}

const [first, second, third] = process.argv.slice(2)
if (first === 'subscribe') await subscribe(Number(second), Number(third))
else await bench(Number(first ?? 10_000_000), second)
