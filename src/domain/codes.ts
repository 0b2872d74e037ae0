// The closed list of error codes: what a caller may branch on, each with its HTTP status and RFC 9457 title.

/** Every code that Chancery answers with. Adding one here makes the compiler and the reference page ask for it. */
export const codes = {
  invalid_request: { status: 400, title: 'The request is not well formed' },
  unauthenticated: { status: 401, title: 'No valid access token' },
  forbidden: { status: 403, title: 'The caller lacks the right' },
  route_not_found: { status: 404, title: 'No such route' },
  subject_not_found: { status: 404, title: 'No such subject' },
  link_not_found: { status: 404, title: 'No such link' },
  method_not_allowed: { status: 405, title: 'The route has no such method' },
  conflict: { status: 409, title: 'The state does not allow it' },
  tester_exists: { status: 409, title: 'A tester with this address exists' },
  user_name_taken: { status: 409, title: 'The user name is taken' },
  token_used: { status: 409, title: 'The walkthrough link was used' },
  link_not_used: { status: 409, title: 'The walkthrough link was never used' },
  account_healthy: { status: 409, title: 'The account is healthy' },
  mid_enrollment: { status: 409, title: 'The enrolment is under way' },
  verdict_stale: { status: 409, title: 'The account moved since the verdict' },
  account_not_a_shell: { status: 409, title: 'The account is more than a shell' },
  rotation_open: { status: 409, title: 'The credential has an open rotation' },
  step_not_offered: { status: 409, title: 'The state of the rotation does not offer this step' },
  gate_closed: { status: 409, title: 'The gate before revoking is closed' },
  not_abortable: { status: 409, title: 'The rotation can no longer be aborted' },
  old_credential_dead: { status: 409, title: 'The old credential no longer works' },
  value_missing: { status: 409, title: 'The credential has no value yet' },
  consumer_key_missing: { status: 409, title: 'The consumer has registered no key' },
  delivery_superseded: { status: 409, title: 'A newer delivery took the place of this one' },
  last_superadmin: { status: 409, title: 'The last superadmin stays' },
  link_superseded: { status: 410, title: 'The link was replaced' },
  link_expired: { status: 410, title: 'The link has expired' },
  position_trimmed: { status: 410, title: 'The stream no longer reaches back that far' },
  precondition_failed: { status: 412, title: 'The revision has moved' },
  precondition_required: { status: 428, title: 'The step needs If-Match' },
  payload_too_large: { status: 413, title: 'The body is too large' },
  unsupported_media_type: { status: 415, title: 'The body is not JSON' },
  idempotency_key_reused: { status: 422, title: 'The Idempotency-Key belongs to another request' },
  ceremony_failed: { status: 422, title: 'The passkey was not accepted' },
  sanction_invalid: { status: 422, title: 'A sanction cannot be of this kind' },
  manifest_invalid: { status: 422, title: 'The manifest has errors' },
  confirmation_mismatch: { status: 422, title: 'What was typed is not the name of the credential' },
  ticket_invalid: { status: 422, title: 'The ticket cannot be one' },
  ticket_not_open: { status: 422, title: 'The ticket is not open' },
  import_invalid: { status: 422, title: 'The import has errors' },
  too_many_attempts: { status: 429, title: 'Too many attempts on this link' },
  rate_limited: { status: 429, title: 'Too many requests' },
  header_fields_too_large: { status: 431, title: 'The header is too large' },
  internal_error: { status: 500, title: 'An unforeseen error' },
  account_audit_failed: { status: 500, title: 'The audit fact could not be appended' },
  key_missing: { status: 500, title: 'The key of a subject is missing' },
  audit_unavailable: { status: 503, title: 'The event store did not take the fact' },
  outcome_unknown: { status: 503, title: 'It is unknown whether the fact was appended' },
  projection_behind: { status: 503, title: 'The read model is not there yet' },
  read_models_unavailable: { status: 503, title: 'The read models cannot be reached' },
  redis_unavailable: { status: 503, title: 'Redis cannot be reached' },
  accounts_unavailable: { status: 503, title: 'The accounts side cannot be reached' },
  tickets_unavailable: { status: 503, title: 'The ticket system cannot be reached' },
  overloaded: { status: 503, title: 'The service is overloaded' }
} as const

export type Code = keyof typeof codes

/** What a problem body carries besides code, title, status, detail and trace_id; snake_case, never personal data. */
export type ProblemFields = Readonly<Record<string, unknown>>

/** A refusal with a stable code. `detail` says in plain words what to do next and holds no personal data. */
export class Refusal extends Error {
  readonly code: Code
  readonly fields: ProblemFields

  constructor (code: Code, detail: string, fields: ProblemFields = {}) {
    super(detail)
    this.name = 'Refusal'
    this.code = code
    this.fields = fields
  }
}

/** Refuses a command: decisions may, `evolve` may not. */
export const refuse = (code: Code, detail: string, fields?: ProblemFields): never => {
  throw new Refusal(code, detail, fields)
}
