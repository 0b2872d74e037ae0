// Security headers, rate limits where no token is needed, and a plain "overloaded" before the loop drowns.
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import underPressure from '@fastify/under-pressure'
import fp from 'fastify-plugin'
import { Refusal } from '../../domain/codes.ts'

export interface ProtectionOptions {
  tls: boolean
  /** Mean delay of the event loop, in ms, from which requests are turned away. */
  maxEventLoopDelay: number
}

export default fp<ProtectionOptions>(async (app, { tls, maxEventLoopDelay }) => {
  await app.register(helmet, {
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"], scriptSrc: ["'self'"], styleSrc: ["'self'"], imgSrc: ["'self'", 'data:'], connectSrc: ["'self'"],
        fontSrc: ["'self'"], baseUri: ["'none'"], formAction: ["'self'"], frameAncestors: ["'none'"]
      }
    },
    strictTransportSecurity: tls,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' }
  })
  await app.register(rateLimit, {
    global: false,
    errorResponseBuilder: (_request, { ttl }) =>
      new Refusal('rate_limited', 'Too many requests from this address. Wait as Retry-After says.', { retry_after: Math.ceil(ttl / 1000) })
  })
  await app.register(underPressure, {
    maxEventLoopDelay,
    pressureHandler: (request) => {
      if (request.url.startsWith('/health/')) return
      throw new Refusal('overloaded', 'The service has more to do than it can. Send the request again shortly.')
    }
  })
  app.addHook('onSend', async (request, reply) => {
    if (request.url.startsWith('/api/') && !reply.hasHeader('cache-control')) void reply.header('cache-control', 'no-store')
  })
})
