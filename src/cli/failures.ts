// How a run of the command line fails: the exit code, and what the reader is told to do next.
import type { Code } from '../domain/codes.ts'

/** Exit codes; the reference page prints this table. */
export const exitCodes = {
  done: { value: 0, meaning: 'done' },
  refused: { value: 1, meaning: 'refused by the service, or failed; the message says what to do' },
  usage: { value: 2, meaning: 'the command line or a file given to it is wrong; nothing was sent' },
  unavailable: { value: 3, meaning: 'the service, or a store behind it, could not be reached: try again' },
  access: { value: 4, meaning: 'no token, or one without the right' },
  findings: { value: 5, meaning: 'done, and something needs a person: a difference, a part that is not ready, an item that was refused' }
} as const

export type Exit = keyof typeof exitCodes

/** Ends a run with a message and an exit code. */
export class Failure extends Error {
  readonly exit: Exit
  constructor (exit: Exit, message: string) {
    super(message)
    this.name = 'Failure'
    this.exit = exit
  }
}

/** An RFC 9457 body as the service answers it. */
export interface Problem {
  status: number
  code: string
  title: string
  detail: string
  trace_id?: string
  fields: Readonly<Record<string, unknown>>
}

/** The service's refusal of one request. */
export class ProblemFailure extends Failure {
  readonly problem: Problem
  constructor (problem: Problem) {
    const next = nextSteps[problem.code as Code]
    super(exitOf(problem), [
      `${problem.code} (${problem.status}): ${problem.detail || problem.title}`,
      ...extras(problem.fields),
      ...next === undefined ? [] : [`what to do: ${next}`],
      ...problem.trace_id === undefined ? [] : [`trace: ${problem.trace_id}`]
    ].join('\n'))
    this.name = 'ProblemFailure'
    this.problem = problem
  }
}

const exitOf = ({ status }: Problem): Exit => status === 401 || status === 403 ? 'access' : status === 503 || status === 429 ? 'unavailable' : 'refused'

/** The fields that a person reads on one line; a list of things gets lines of its own where it is known what it lists. */
const extras = (fields: Problem['fields']): string[] =>
  Object.entries(fields).filter(([key, value]) => key !== 'errors' || !Array.isArray(value)).map(([key, value]) => `  ${key}: ${typeof value === 'string' ? value : JSON.stringify(value)}`)

/** What an operator at a terminal does about a code, where the service's own detail cannot know that it is one. */
const nextSteps: Partial<Record<Code, string>> = {
  unauthenticated: 'set CHANCERY_TOKEN, or run where data/superadmin.token can be read',
  forbidden: 'ask a superadmin for the role: chancery principals grant PRINCIPAL ROLE (docs/reference/roles.md)',
  token_used: 'chancery testers reset TESTER --reason "…"',
  link_not_used: 'chancery testers resend TESTER',
  account_healthy: 'nothing to repair: the person can sign in',
  mid_enrollment: 'ask again at becomes_ghost_at',
  audit_unavailable: 'chancery status shows which store is away; nothing was recorded, so repeat the command',
  outcome_unknown: 'repeat the command with --key set to the idempotency_key above',
  projection_behind: 'chancery status shows the lag; repeat the command',
  read_models_unavailable: 'chancery status shows which store is away; repeat the command',
  redis_unavailable: 'chancery status says what the publisher waits for; everything else goes on without it',
  rotation_open: 'chancery rotate CREDENTIAL goes on with it; chancery rotations abort CREDENTIAL ends it',
  step_not_offered: 'chancery rotations show CREDENTIAL says what may be asked for now',
  gate_closed: 'mend the consumers that are named, then chancery rotations validate CREDENTIAL; one that is not required may be waived: chancery rotations waive CREDENTIAL --consumer NAME',
  not_abortable: 'the way is forward: chancery rotations watch CREDENTIAL shows it',
  old_credential_dead: 'the way is forward: chancery rotations retry or validate CREDENTIAL, then revoke',
  value_missing: 'chancery credentials adopt CREDENTIAL hands the value in use to the vault',
  consumer_key_missing: 'the consumer registers its key with its own token (kits/credentials/README.md); then chancery rotations retry CREDENTIAL',
  precondition_failed: 'somebody took a step or changed it meanwhile: look at it with show, and decide again',
  manifest_invalid: 'mend the lines above and put it again; chancery credentials template KIND shows a whole one',
  confirmation_mismatch: 'type the name of the credential exactly, by hand: letters that only look alike are refused',
  ticket_invalid: 'give the ticket as the ticket system numbers it: --ticket 4711',
  ticket_not_open: 'take a ticket that is open, or open it again',
  tickets_unavailable: 'nothing was done; repeat it when the ticket system answers (CHANCERY_FREESCOUT_URL)',
  idempotency_key_reused: 'leave out --key, or repeat the first command exactly'
}
