// Jobs, exchanges and facts of rotations as JSON shows them: the one translation for answers, event stream and transcript.
import type { Exchange } from '../domain/credential/fields.ts'
import type { Actor } from '../domain/event.ts'
import type { ConsumerProgress, JobView } from '../domain/rotation/job.ts'
import type { CredentialEvent } from './rotation-feed.ts'

export const actorItem = ({ type, id }: Actor) => ({ type, id })

/** What a consumer does itself. */
const byConsumers: ReadonlySet<string> = new Set<CredentialEvent['type']>(['credential.value_fetched', 'rotation.delivery_acknowledged'])

/** The operator who did it; null where the service did, or a consumer by itself (ADR 0191). */
export const operatorIdOf = ({ type, metadata: { actor } }: CredentialEvent): string | null =>
  actor.type === 'principal' && !byConsumers.has(type) ? actor.id : null

/** Who opened a job; null where the schedule did (ADR 0191). */
export const openerIdOf = ({ type, id }: Actor): string | null => type === 'principal' ? id : null

/** Scrubbed of secrets before it became a fact. */
export const exchangeItem = ({ probe, outcome, request, answer, failure, at, tookMs }: Exchange) => ({
  probe, outcome, request, answer: answer ?? null, failure: failure ?? null, at, took_ms: tookMs
})

const progressItem = (progress: ConsumerProgress) => ({
  consumer: progress.consumer,
  required: progress.required,
  delivery: progress.delivery,
  healthcheck: progress.healthcheck,
  proof: progress.proof,
  distribute_status: progress.distributeStatus,
  delivery_seq: progress.deliverySeq ?? null,
  attempts: progress.tries,
  last_error: progress.lastError ?? null,
  sent_at: progress.sentAt ?? null,
  ended_at: progress.endedAt ?? null,
  proof_outcome: progress.proofOutcome ?? null,
  proved_at: progress.provedAt ?? null,
  waived: progress.waived === undefined ? null : { operator_id: progress.waived.by.id, at: progress.waived.at, ticket: progress.waived.ticket ?? null }
})

export const jobItem = (view: JobView) => ({
  credential: view.credential,
  rotation_id: view.rotationId,
  mode: view.mode,
  trigger: view.trigger,
  state: view.state,
  meaning: view.meaning,
  transition: view.transition,
  manifest_version: view.manifestVersion,
  opened_at: view.openedAt,
  operator_id: openerIdOf(view.openedBy),
  changed_at: view.changedAt,
  ended_at: view.endedAt ?? null,
  ticket_check: view.ticketCheck ?? null,
  old_value: { value_id: view.oldValue.valueId, vendor_token_id: view.oldValue.vendorTokenId ?? null },
  new_value: view.newValue === undefined
    ? null
    : { value_id: view.newValue.valueId, vendor_token_id: view.newValue.vendorTokenId ?? null, fingerprint: view.newValue.fingerprint },
  failure: view.failure === undefined ? null : exchangeItem(view.failure),
  consumers: view.consumers.map(progressItem),
  gate: { open: view.gate.open, closed_by: view.gate.closedBy.map(({ consumer, why }) => ({ consumer: consumer ?? null, why })) },
  steps: view.steps,
  abort_means: view.abortMeans ?? null,
  unexplained_tokens: [...view.unexplained],
  alarm: view.alarm ?? null
})
export type JobItem = ReturnType<typeof jobItem>
