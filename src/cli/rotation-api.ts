// Credentials and rotations as the API shows them: the fields that the command line reads, and the paths they are at.

const CREDENTIALS = '/api/v1/credentials'

export const credentialPath = (...parts: string[]): string => [CREDENTIALS, ...parts.map(encodeURIComponent)].join('/')
export const rotationPath = (credential: string, ...parts: string[]): string => credentialPath(credential, 'rotations', ...parts)

/** What an operator may ask a job for. */
export type Step = 'verify' | 'distribute' | 'retry' | 'validate' | 'waive' | 'revoke' | 'abort'

/** A row of the inventory. */
export interface InventoryRow {
  credential: string
  owner_name: string | null
  sensitivity: string
  vendor: string
  value_since: string | null
  expires_at: string | null
  due_at: string | null
  overdue: boolean
  age_days: number | null
  last_completed_at: string | null
  open_rotation: { rotation_id: string, state: string } | null
}

/** A job as lists show it. */
export interface ListedJob { rotation_id: string, mode: string, trigger: string, state: string, opened_at: string, changed_at: string, ended_at: string | null }

/** One fact of a job as its transcript replays it. */
export interface TranscriptItem {
  fact: string
  at: string
  actor: { type: string, id: string }
  operator_id: string | null
  reason: string | null
  ticket: string | null
  state: string
  /** As the fact has it; of these fields the reader is told. */
  data: { consumer?: string, deliveries?: ConsumerFact[], outcomes?: ConsumerFact[] }
  exchanges: Exchange[]
}

interface ConsumerFact { consumer: string, status?: string, outcome?: string }

/** A request to a vendor or a consumer and its answer, scrubbed of secrets by the service. */
export interface Exchange {
  probe: string
  outcome: 'passed' | 'failed' | 'unknown' | 'by_hand'
  request: { method: string, target: string, headers?: Record<string, string>, body?: string }
  answer: { status: string, headers?: Record<string, string>, body?: string } | null
  failure: string | null
  at: string
  took_ms: number
}

export interface ConsumerView {
  consumer: string
  required: boolean
  delivery: { kind: 'push', url: string } | { kind: 'pull' }
  distribute_status: 'pending' | 'sent' | 'succeeded' | 'failed' | 'unreachable'
  attempts: number
  last_error: string | null
  proof: { kind: string }
  proof_outcome: 'proved' | 'unproved' | 'unhealthy' | 'unreachable' | 'not_possessing' | null
  proved_at: string | null
  waived: object | null
}

/** A job as every answer about it shows it; `transition` is its ETag. */
export interface JobView {
  credential: string
  rotation_id: string
  mode: 'rotate' | 'replace'
  trigger: string
  state: string
  meaning: string
  transition: number
  opened_at: string
  changed_at: string
  ended_at: string | null
  ticket_check: 'open' | 'format' | null
  old_value: { vendor_token_id: string | null }
  new_value: { vendor_token_id: string | null, fingerprint: string } | null
  failure: Exchange | null
  consumers: ConsumerView[]
  gate: { open: boolean, closed_by: Array<{ consumer: string | null, why: string }> }
  steps: Step[]
  abort_means: string | null
  alarm: string | null
}

/** An answer about a job: the event stream goes on after its revision. */
export interface JobAnswer extends JobView { revision: string }

/** States in which the service works and nobody is asked for anything. */
const working = new Set(['verifying', 'minting', 'mint_outcome_unknown', 'distributing', 'validating', 'confirming', 'revoking', 'revoke_unconfirmed', 'abort_checking', 'aborting'])

export const hasEnded = ({ state }: Pick<JobView, 'state'>): boolean => state === 'done' || state === 'aborted'
export const waitsForHuman = (job: Pick<JobView, 'state'>): boolean => !working.has(job.state) && !hasEnded(job)
export const isWorking = ({ state }: Pick<JobView, 'state'>): boolean => working.has(state)
