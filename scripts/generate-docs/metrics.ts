// docs/reference/metrics.md: every figure that /metrics shows, from the registry itself.
import { createMetrics } from '../../src/http/metrics.ts'
import { registerPublisherMetrics } from '../../src/http/publisher-metrics.ts'
import { registerRotationMetrics } from '../../src/http/rotation-metrics.ts'
import type { PublisherStatus } from '../../src/lifecycle-stream.ts'
import { code, opening, table } from './markdown.ts'

/** Any status will do: the names, not the values, go into the page. */
const status: PublisherStatus = {
  state: 'waiting', cause: undefined, stream: '', tail: undefined, lagEntries: undefined, lagMs: undefined,
  published: 0, failures: 0, overtaken: 0, fenced: 0, trimmed: 0, alarms: [], verified: undefined
}

export const metricsPage = async (): Promise<string> => {
  const { registry } = createMetrics(async () => [])
  registerPublisherMetrics(registry, () => status)
  registerRotationMetrics(registry, {
    rotations: { open: async () => [], dueCount: async () => 0 }, clock: { now: () => new Date(0) }, rules: { proofMaxAgeMs: 0, valueGraceMs: 0, alone: true }
  })
  const labels = new Map(registry.getMetricsAsArray().map((metric) => [metric.name, (metric as { labelNames?: readonly string[] }).labelNames ?? []]))
  // What Node and the operating system offer depends on the machine.
  const own = (await registry.getMetricsAsJSON()).filter(({ name }) => !/^chancery_(process|nodejs)_/.test(name)).sort((a, b) => a.name < b.name ? -1 : 1)
  return [
    opening('Metrics', 'src/http/metrics.ts, src/http/publisher-metrics.ts and src/http/rotation-metrics.ts',
      '`GET /metrics` shows them in Prometheus\'s form, for `metrics.read`. Those of the publisher are there only in a process that publishes. ' +
      'Beside them stand those of Node and of the process, `chancery_nodejs_…` and `chancery_process_…`.'),
    table(['metric', 'kind', 'labels', 'meaning'], own.map(({ name, type, help }) =>
      [code(name), String(type), (labels.get(name) ?? []).map(code).join(', '), help]))
  ].join('\n')
}
