// The ghost verdict of seed 000 as a pure rule: which of the four states, by which rule, on which evidence.
import type { Instant } from '../event.ts'
import type { Mark } from '../mark.ts'
import { credentialCount, type User } from './user.ts'

/** What the verdict is taken on; read models and streams are both brought into this shape. */
export interface Enrolment {
  linkOpenedAt: Instant
  /** The fact that made the account (the users row); absent if there is none. */
  created?: Mark
  lastCeremony?: Mark
  credentials: number
  credentialEvidence?: Mark
}

export type Verdict = { rule: string, evidence: Mark[] } & (
  | { state: 'healthy' | 'ghost_no_users_row' | 'ghost_empty_shell' }
  | { state: 'mid_enrollment', becomesGhostAt: Instant })

/** Names of the rules, as evidence and facts quote them. */
export const rules = {
  healthy: 'credential_present',
  mid_enrollment: 'ceremony_within_grace',
  ghost_empty_shell: 'account_without_credential_after_grace',
  ghost_no_users_row: 'link_opened_without_account_after_grace'
} as const

/**
 * A credential makes it healthy. Without one it is mid-enrolment until the grace has passed since the last event of
 * the ceremony (opening, options, failed verification, creation; decision 22), and a ghost from that moment on.
 */
export const judge = (enrolment: Enrolment, now: Date, graceMs: number): Verdict => {
  const { linkOpenedAt, created, lastCeremony, credentials, credentialEvidence } = enrolment
  const evidence = distinct([created, lastCeremony, credentialEvidence])
  if (credentials > 0) return { state: 'healthy', rule: rules.healthy, evidence }
  const lastMoment = Math.max(...[linkOpenedAt, created?.at, lastCeremony?.at].flatMap((at) => at === undefined ? [] : [Date.parse(at)]))
  const ghostFrom = lastMoment + graceMs
  if (now.getTime() < ghostFrom) {
    return { state: 'mid_enrollment', rule: rules.mid_enrollment, evidence, becomesGhostAt: new Date(ghostFrom).toISOString() }
  }
  const state = created === undefined ? 'ghost_no_users_row' : 'ghost_empty_shell'
  return { state, rule: rules[state], evidence }
}

/** What an account's stream says of its enrolment. */
export const enrolmentOf = (user: Exclude<User, { status: 'reset' }>, linkOpenedAt: Instant): Enrolment => {
  const { ceremony, credentials } = user
  return {
    linkOpenedAt,
    ...(user.status === 'present' && { created: user.created }),
    ...(ceremony.last !== undefined && { lastCeremony: ceremony.last }),
    credentials: credentialCount(credentials),
    ...(credentials.evidence !== undefined && { credentialEvidence: credentials.evidence })
  }
}

/** Each fact once, in the order of the stream. */
const distinct = (marks: ReadonlyArray<Mark | undefined>): Mark[] => {
  const byRevision = new Map(marks.flatMap((mark) => mark === undefined ? [] : [[mark.revision, mark]]))
  return [...byRevision.values()].sort((a, b) => a.revision < b.revision ? -1 : 1)
}
