// What the service counts about itself, in Prometheus's form.
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'
import { categoryOf } from '../domain/catalogue.ts'
import { LogOutcomeUnknown, LogUnavailable, WrongExpectedRevision } from '../log-errors.ts'
import type { EventStore } from '../ports.ts'
import type { ProjectionStatus } from '../queries.ts'

export interface Metrics {
  registry: Registry
  /** Notes one answered request; `route` is the pattern, never the path. */
  request (seen: { method: string, route: string, status: number, seconds: number }): void
  /** The same store, its appends counted by category and outcome. */
  observed (events: EventStore): EventStore
  /** What each consumer of the lifecycle stream owes. */
  overdue: { show: (consumer: string, entries: number) => void, hide: (consumer: string) => void }
}

/** Lag in ms from which on a gauge says "unknown": the log did not answer. */
const UNKNOWN = -1

/** @param projections asked whenever the page is read; a failure leaves the lags out */
export const createMetrics = (projections: Ask): Metrics => {
  const registry = new Registry()
  const registers = [registry]
  collectDefaultMetrics({ register: registry, prefix: 'chancery_' })

  const requests = new Histogram({
    name: 'chancery_http_request_duration_seconds', help: 'Time from the request to the end of its answer.', registers,
    labelNames: ['method', 'route', 'status'] as const, buckets: [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]
  })
  const appends = new Counter({
    name: 'chancery_appends_total', help: 'Appends to the log by outcome: appended, lost_race, unavailable, outcome_unknown, failed.', registers,
    labelNames: ['category', 'outcome'] as const
  })
  const durations = new Histogram({
    name: 'chancery_append_duration_seconds', help: 'Time of an append that was acknowledged.', registers, buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5]
  })
  gauge(registers, 'chancery_projection_lag_milliseconds', 'Time of append between the last event applied and the last of ours; -1: unknown.',
    projections, ({ lagMs }) => lagMs ?? UNKNOWN)
  gauge(registers, 'chancery_projection_serving', '1 if the read model serves and has no alarm.',
    projections, ({ state }) => state === 'serving' ? 1 : 0)
  const overdue = new Gauge({
    name: 'chancery_consumer_overdue', help: 'Lifecycle entries for which a consumer\'s receipt is overdue.', registers, labelNames: ['consumer'] as const
  })

  const append = async (events: EventStore, ...[stream, expected, facts]: Parameters<EventStore['append']>) => {
    const stop = durations.startTimer()
    const category = categoryOf(stream)
    try {
      const appended = await events.append(stream, expected, facts)
      stop()
      appends.inc({ category, outcome: 'appended' })
      return appended
    } catch (error) {
      appends.inc({ category, outcome: outcomeOf(error) })
      throw error
    }
  }

  return {
    registry,
    request: ({ method, route, status, seconds }) => requests.observe({ method, route, status: String(status) }, seconds),
    observed: (events) => ({ ...events, append: (...call) => append(events, ...call) }),
    overdue: { show: (consumer, entries) => { overdue.set({ consumer }, entries) }, hide: (consumer) => { overdue.remove({ consumer }) } }
  }
}

type Ask = () => Promise<readonly ProjectionStatus[]>

/** A figure of each read model, asked for whenever the page is read. */
const gauge = (registers: Registry[], name: string, help: string, ask: Ask, valueOf: (status: ProjectionStatus) => number): void => {
  const made = new Gauge({
    name, help, registers, labelNames: ['projection'] as const,
    collect: async () => { for (const status of await ask().catch(() => [])) made.set({ projection: status.name }, valueOf(status)) }
  })
}

const outcomeOf = (error: unknown): string => {
  if (error instanceof WrongExpectedRevision) return 'lost_race'
  if (error instanceof LogUnavailable) return 'unavailable'
  return error instanceof LogOutcomeUnknown ? 'outcome_unknown' : 'failed'
}
