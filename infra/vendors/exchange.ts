// Exchanges with vendors that do not speak HTTP: what was asked, what was answered in the vendor's own code, and no secret.
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import { bodyOf } from '../outgoing/exchange.ts'
import { createScrub } from '../outgoing/scrub.ts'

/** So much of a body is kept, in characters. */
const KEEP = 4_096

/** How one request ended. */
export interface Ending {
  outcome: Exchange['outcome']
  /** SQLSTATE, or the first word of Redis's error; `OK` and `00000` are their yes. */
  status?: string
  body?: string
  /** Why there is no answer, or why the answer is not good enough. */
  failure?: string
}

/** Times one request and writes it down, scrubbed. `end` gets what came of it; the exchange is made by it. */
export const beginExchange = (probe: string, request: Exchange['request'], secrets: ReadonlyArray<Secret | undefined>) => {
  const at = new Date()
  const begun = performance.now()
  return ({ outcome, status, body, failure }: Ending): Exchange => {
    const scrub = createScrub(secrets.filter((secret) => secret !== undefined))
    const { method, target, body: asked } = request
    return {
      probe,
      outcome,
      request: { method, target: bodyOf(target, scrub, 2_048), ...asked !== undefined && { body: bodyOf(asked, scrub, KEEP) } },
      ...status !== undefined && { answer: { status: bodyOf(status, scrub, 64), ...body !== undefined && { body: bodyOf(body, scrub, KEEP) } } },
      ...failure !== undefined && { failure },
      at: at.toISOString(),
      tookMs: Math.max(0, Math.round(performance.now() - begun))
    }
  }
}
