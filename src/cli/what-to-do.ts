// What an operator at a terminal does about a refusal, where the service's own sentence cannot know that it is one.
import type { Code } from '../domain/codes.ts'

/** An RFC 9457 body as the service answers it. */
export interface Problem {
  status: number
  code: string
  title: string
  detail: string
  trace_id?: string
  fields: Readonly<Record<string, unknown>>
}

type Hint = string | ((problem: Problem, path: string) => string | undefined)

/**
 * A command or two, with the name of the credential that the request was about.
 * @param path of the request, for example `/api/v1/credentials/mail-api/rotations`
 */
export const whatToDo = (problem: Problem, path: string): string | undefined => {
  const hint = hints[problem.code as Code]
  const text = typeof hint === 'function' ? hint(problem, path) : hint
  return text?.replaceAll('CREDENTIAL', credentialIn(path) ?? 'CREDENTIAL')
}

const credentialIn = (path: string): string | undefined => /^\/api\/v1\/credentials\/([a-z][a-z0-9-]{0,47})(?:\/|$)/.exec(path)?.[1]
const isAbout = (path: string, what: RegExp): boolean => what.test(path)
const hasEnded = ({ fields }: Problem): boolean => fields['state'] === 'done' || fields['state'] === 'aborted'

const NEXT_ROTATION = 'this rotation has ended: chancery rotate CREDENTIAL opens the next one'

/** The role that carries a right of rotations, and no more; other rights are in several. */
const roleFor: Readonly<Record<string, string>> = { 'rotations.read': 'rotations-read', 'rotations.operate': 'rotations-operator' }

const hints: Partial<Record<Code, Hint>> = {
  unauthenticated: 'set CHANCERY_TOKEN, or run where data/superadmin.token can be read',
  forbidden: ({ fields }) => {
    const role = roleFor[String(fields['permission'])]
    return `ask a superadmin for the role: chancery principals grant PRINCIPAL ${role ?? 'ROLE'} (PRINCIPAL: the id that chancery principals list shows${role === undefined ? '; docs/reference/roles.md' : ''})`
  },
  invalid_request: ({ detail, fields }, path) => {
    const wrong = JSON.stringify(fields['errors'] ?? [])
    if (isAbout(path, /^\/api\/v1\/credentials\//) && wrong.includes('/params/name')) return 'a credential\'s name is 1 to 48 small letters, digits and dashes, and begins with a letter; chancery credentials lists those there are'
    if (wrong.includes('/params/rotation_id')) return 'chancery rotations list CREDENTIAL lists the ids of its rotations'
    if (wrong.includes('/params/principal_id')) return 'chancery principals list shows the ids'
    if (isAbout(path, /\/value$/) && detail.includes('vendor_token_id')) return 'give the id that the vendor calls it by: --vendor-token-id ID'
    return undefined
  },
  subject_not_found: ({ fields }, path) => {
    if (fields['consumer'] !== undefined) return 'chancery rotations show CREDENTIAL shows its consumers'
    if (isAbout(path, /^\/api\/v1\/credentials\/[^/]+\/rotations\/./)) return 'chancery rotations list CREDENTIAL lists its rotations'
    return credentialIn(path) === undefined ? undefined : 'chancery credentials lists those there are; chancery credentials put CREDENTIAL --manifest FILE makes one (chancery credentials --help: the whole way)'
  },
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
  step_not_offered: (problem) => hasEnded(problem) ? NEXT_ROTATION : 'chancery rotations show CREDENTIAL says what may be asked for now',
  gate_closed: 'mend the consumers that are named, then chancery rotations validate CREDENTIAL; one that is not required may be waived: chancery rotations waive CREDENTIAL --consumer NAME',
  not_abortable: (problem) => hasEnded(problem) ? NEXT_ROTATION : 'the way is forward: chancery rotations watch CREDENTIAL shows it',
  old_credential_dead: ({ fields }) => `the way is forward: ${Array.isArray(fields['offered']) && fields['offered'].includes('retry') ? 'chancery rotations retry CREDENTIAL' : 'chancery rotations validate CREDENTIAL'}, then revoke; chancery rotate CREDENTIAL leads through it`,
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
