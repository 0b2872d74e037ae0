// What the publisher counts, in Prometheus's form.
import { Counter, Gauge, type Registry } from 'prom-client'
import { alarmReasons, type PublisherStatus } from '../lifecycle-stream.ts'

/** What a gauge says where the figure is not known. */
const UNKNOWN = -1

const counters: ReadonlyArray<readonly [name: string, help: string, of: (status: PublisherStatus) => number]> = [
  // The name is seed 003's: user.event_publication_failures.
  ['user_event_publication_failures_total', 'Attempts to publish lifecycle entries that Redis did not take.', ({ failures }) => failures],
  ['chancery_publisher_published_total', 'Lifecycle entries written by this process.', ({ published }) => published],
  ['chancery_publisher_overtaken_total', 'Lifecycle entries that another publisher had written when this process was about to: usual where several publish.', ({ overtaken }) => overtaken],
  ['chancery_publisher_fenced_total', 'Lifecycle entries that another publisher had written while this process was held up: it woke into a stream that had gone on.', ({ fenced }) => fenced],
  ['chancery_publisher_trimmed_total', 'Lifecycle entries trimmed by this process.', ({ trimmed }) => trimmed]
]

const gauges: ReadonlyArray<readonly [name: string, help: string, of: (status: PublisherStatus) => number]> = [
  ['chancery_publisher_ready', '1 while the publisher can publish.', ({ state }) => Number(state === 'ready')],
  ['chancery_publisher_lag_entries', 'Lifecycle events that the stream still lacks; -1: unknown.', ({ lagEntries }) => lagEntries ?? UNKNOWN],
  ['chancery_publisher_lag_milliseconds', 'Age of the oldest of them; -1: unknown.', ({ lagMs }) => lagMs ?? UNKNOWN],
  ['chancery_lifecycle_mismatches', 'Entries in which the stream differed from the log when last compared; -1: not compared yet.',
    ({ verified }) => verified === undefined ? UNKNOWN : verified.missing + verified.extra + verified.different + verified.outOfOrder]
]

/** Registers them; the status is asked whenever the page is read. */
export const registerPublisherMetrics = (registry: Registry, status: () => PublisherStatus): void => {
  const registers = [registry]
  for (const [name, help, of] of counters) {
    const counter: Counter = new Counter({
      name,
      help,
      registers,
      collect: () => {
        counter.reset()
        counter.inc(of(status()))
      }
    })
  }
  for (const [name, help, of] of gauges) {
    const gauge: Gauge = new Gauge({ name, help, registers, collect: () => { gauge.set(of(status())) } })
  }
  const alarms = new Gauge({
    name: 'chancery_lifecycle_alarms',
    help: 'Alarms of the lifecycle stream by reason.',
    registers,
    labelNames: ['reason'] as const,
    collect: () => { for (const reason of alarmReasons) alarms.set({ reason }, status().alarms.filter((alarm) => alarm.reason === reason).length) }
  })
}
