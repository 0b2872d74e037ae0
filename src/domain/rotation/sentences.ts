// What a failure means in one sentence of ours: no secret, and nothing that the other side wrote.
import type { Exchange } from '../credential/fields.ts'
import type { Subscriber } from '../credential/manifest.ts'
import type { DistributeStatus, ProofOutcome } from './job.ts'

const failures: Readonly<Record<string, string>> = {
  timeout: 'It did not answer in time.',
  connection_refused: 'It refused the connection.',
  name_unknown: 'Its name is not known.',
  address_forbidden: 'Its address is not allowed: CHANCERY_OUTGOING_ALLOW names those that are.',
  redirect_refused: 'It answered with a redirect, which is not followed.',
  too_large: 'Its answer was too large.',
  connection_elsewhere: 'Nothing was sent: the connection is not for this address.',
  tls: 'No secure connection could be made.'
}

const came = (exchange: Exchange | undefined): string => {
  if (exchange?.answer !== undefined) return `It answered ${exchange.answer.status}.`
  return failures[exchange?.failure ?? ''] ?? 'It did not answer.'
}

export const deliveryError = ({ delivery }: Subscriber, status: DistributeStatus, exchange: Exchange | undefined): string => {
  if (exchange !== undefined) return came(exchange)
  if (delivery.kind === 'push') return 'Nothing was sent: it has registered no key. Let it register one, then retry.'
  return status === 'unreachable' ? 'It did not acknowledge in time what was announced to it.' : 'Nothing was announced: the stream could not be written.'
}

const proofs: Readonly<Record<Exclude<ProofOutcome, 'proved'>, string>> = {
  unproved: 'Its proof is keyed by another value: it does not use the new one.',
  unhealthy: 'Its healthcheck does not say ok.',
  unreachable: 'Its healthcheck could not be reached.',
  not_possessing: 'It answers, but proves nothing.'
}

export const proofError = (outcome: ProofOutcome, exchange: Exchange | undefined): string | undefined => {
  if (outcome === 'proved') return undefined
  const sentence = proofs[outcome]
  return outcome === 'unhealthy' || outcome === 'unreachable' ? `${sentence} ${came(exchange)}` : sentence
}
