// The local event store against the disk below it: what one append waits for, and how many fit into a flush.
import { randomBytes } from 'node:crypto'
import { closeSync, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { EventStoreDBClient, jsonEvent, NO_STREAM } from '@eventstore/db-client'
import { childLine, compiled } from '../children.ts'
import { overRounds, rate, rotate, sliceOf, type Contestant, type Slice } from '../method.ts'
import { median, quantile } from '../statistics.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

const IN_FLIGHT = 128

export const storeSuite = async (options: SuiteOptions): Promise<SuiteResult> => {
  const store = await childLine([compiled('infra/local/eventstore/main.js'), '--data', join(options.dir, 'store'), '--port', '0'])
  const url = /esdb:\S+/.exec(store.line)?.[0] ?? ''
  const client = EventStoreDBClient.connectionString(url)
  const appended = new Map<string, number>()
  try {
    const contestants = [
      sequential(client, store.pid, appended),
      concurrent(client, store.pid, appended),
      disk(options.dir)
    ]
    const rounds = await rotate(contestants, options)
    await everyEventIsThere(client, appended)
    const ratio = (name: string, against: string, figure: (of: (contestant: string) => Slice) => number) =>
      ({ name, against, ...overRounds(rounds, (round) => figure((contestant) => sliceOf(round, contestant))) })
    const all = (contestant: string) => rounds.map((round) => sliceOf(round, contestant))
    return {
      suite: 'store',
      rounds,
      figures: [
        ratio('sequential append p50 ÷ 4 KiB write + fdatasync p50', 'a real EventStoreDB 24.2: 6.5',
          (of) => median(of('sequential').latencies) / median(of('disk').latencies)),
        ratio(`appends/s at ${IN_FLIGHT} in flight ÷ fdatasyncs/s`, 'a real EventStoreDB 24.2: 1.0',
          (of) => rate(of('concurrent')) / rate(of('disk')))
      ],
      absolute: {
        'sequential append p50, ms': median(all('sequential').flatMap(({ latencies }) => latencies)),
        'sequential append p99, ms': quantile(all('sequential').flatMap(({ latencies }) => latencies), 0.99),
        [`append p50 at ${IN_FLIGHT} in flight, ms`]: median(all('concurrent').flatMap(({ latencies }) => latencies)),
        [`appends/s at ${IN_FLIGHT} in flight`]: median(all('concurrent').map(rate)),
        'store CPU-µs an append, 128 in flight': median(all('concurrent').map(({ cpuMicros, operations }) => cpuMicros / operations)),
        'fdatasyncs/s': median(all('disk').map(rate))
      }
    }
  } finally {
    await client.dispose()
    await store.stop()
  }
}

const event = () => jsonEvent({ type: 'bench.appended', data: { text: randomBytes(150).toString('hex') } })

/** Appends with the expected revision, as the service does, until the time is up; `lanes` streams at once. */
const appending = async (client: EventStoreDBClient, lanes: number, milliseconds: number, appended: Map<string, number>): Promise<Slice> => {
  const started = performance.now()
  const latencies: number[] = []
  await Promise.all(Array.from({ length: lanes }, async () => {
    const stream = `bench-${randomBytes(8).toString('hex')}`
    let revision: bigint | undefined
    while (performance.now() - started < milliseconds) {
      const before = performance.now()
      const result = await client.appendToStream(stream, event(), { expectedRevision: revision ?? NO_STREAM })
      latencies.push(performance.now() - before)
      revision = result.nextExpectedRevision
    }
    appended.set(stream, Number((revision ?? -1n) + 1n))
  }))
  return { operations: latencies.length, seconds: (performance.now() - started) / 1000, latencies }
}

const sequential = (client: EventStoreDBClient, pid: number, appended: Map<string, number>): Contestant =>
  ({ name: 'sequential', pids: () => [pid], slice: (milliseconds) => appending(client, 1, milliseconds, appended) })

const concurrent = (client: EventStoreDBClient, pid: number, appended: Map<string, number>): Contestant =>
  ({ name: 'concurrent', pids: () => [pid], slice: (milliseconds) => appending(client, IN_FLIGHT, milliseconds, appended) })

/** 4 KiB written over and over in place and flushed: what the disk can do at best. */
const disk = (dir: string): Contestant => ({
  name: 'disk',
  pids: () => [process.pid],
  slice: async (milliseconds) => {
    const file = openSync(join(dir, 'disk'), 'w')
    const block = randomBytes(4096)
    const started = performance.now()
    const latencies: number[] = []
    while (performance.now() - started < milliseconds) {
      const before = performance.now()
      writeSync(file, block, 0, 4096, 0)
      fdatasyncSync(file)
      latencies.push(performance.now() - before)
    }
    closeSync(file)
    return { operations: latencies.length, seconds: (performance.now() - started) / 1000, latencies }
  }
})

/** A benchmark whose events are not all there prints no figure. */
const everyEventIsThere = async (client: EventStoreDBClient, appended: ReadonlyMap<string, number>): Promise<void> => {
  for (const [stream, count] of appended) {
    let revision = 0n
    for await (const { event: recorded } of client.readStream(stream)) {
      if (recorded?.revision !== revision++) throw new Error(`${stream} has a gap before revision ${revision}`)
    }
    if (Number(revision) !== count) throw new Error(`${stream}: ${count} appends acknowledged, ${revision} events there`)
  }
}
