// What the door needs to know of the program behind it, and what routes and plugins find on Fastify's objects.
import type { Access, Caller } from '../commands/access/access.ts'
import type { Permission } from '../domain/principal/roles.ts'
import type { Clock, Ids, Keys } from '../ports.ts'
import type { Positions } from '../queries.ts'

export interface Door {
  access: Access
  keys: Pick<Keys, 'fingerprint'>
  ids: Ids
  clock: Clock
  positions: Positions
  /** True if an error says that the read models cannot be reached for the moment. */
  readModelsAway: (error: unknown) => boolean
}

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The right that the caller needs. A route states this or `access`. */
    permission?: Permission
    /** `public`: no token is looked at, and the route is rate limited; `authenticated`: any known principal. */
    access?: 'public' | 'authenticated'
    /** What the caller is told if the event store is away before the command begins: `account_audit_failed` (500, seed 000) instead of `audit_unavailable`. */
    auditFailed?: true
    /** With `permission`: needs no token from the machine itself (decision 39). */
    loopbackOpen?: boolean
    /** Read models that must have reached the caller's `Chancery-Position` or `min_position` before the query runs. */
    waitsFor?: readonly string[]
  }
  interface FastifyRequest {
    /** Who asks; undefined on public routes. */
    caller: Caller | undefined
    /** The caller's Idempotency-Key, or the one made up for this request; only on routes that change something. */
    idempotencyKey: string | undefined
    /** The caller's `If-Match`: the revision that the command is to be decided on. */
    ifMatch: bigint | undefined
  }
  interface FastifyInstance {
    door: Door
  }
}
