// Counts every answered request by route pattern and status.
import fp from 'fastify-plugin'
import type { Metrics } from '../metrics.ts'

export default fp<{ metrics: Pick<Metrics, 'request'> }>(async (app, { metrics }) => {
  app.addHook('onResponse', async (request, reply) => {
    metrics.request({
      method: request.method, route: request.routeOptions.url ?? 'none', status: reply.statusCode, seconds: reply.elapsedTime / 1000
    })
  })
})
