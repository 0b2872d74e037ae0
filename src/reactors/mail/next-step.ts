// What is to be done about a mail now, decided from its tester's stream: the rule that claims, pauses and giving up follow.
import type { Tester } from '../../domain/tester/tester.ts'

export interface MailRules {
  /** Attempts of one mail, those included that a crash left without an outcome. */
  maxAttempts: number
  /** Pause after the n-th failed attempt, in ms; the last one holds for all further ones. */
  pausesMs: readonly number[]
  /**
   * How long a claim of another process is respected, in ms: longer than any hand-over takes. 0 where no other process
   * can be at work.
   */
  claimMs: number
}

export const mailRules: MailRules = { maxAttempts: 6, pausesMs: [1_000, 5_000, 30_000, 120_000, 600_000], claimMs: 60_000 }

export type MailStep =
  | { kind: 'nothing' }
  | { kind: 'wait', ms: number }
  | { kind: 'attempt', attempt: number, tokenId: string, expiresAt: string, purpose: 'invitation' | 'fresh_link' }
  /** The link is of no use any more, or it was tried often enough. */
  | { kind: 'give_up', attempt: number }

export const nextStep = (tester: Tester, mailId: string, now: Date, rules: MailRules): MailStep => {
  if (tester.status === 'absent') return { kind: 'nothing' }
  const mail = tester.mails.find((candidate) => candidate.mailId === mailId)
  if (mail === undefined || mail.status === 'sent' || mail.status === 'failed') return { kind: 'nothing' }
  const { attempts, status, tokenId, movedAt } = mail
  const due = Date.parse(movedAt) + pause(status, attempts, rules)
  if (now.getTime() < due) return { kind: 'wait', ms: due - now.getTime() }
  const token = tester.tokens.find((candidate) => candidate.tokenId === tokenId)
  const expiresAt = token === undefined || token.status === 'revoked' ? undefined : token.expiresAt
  if (expiresAt === undefined || now.getTime() >= Date.parse(expiresAt) || attempts >= rules.maxAttempts) return { kind: 'give_up', attempt: attempts }
  return { kind: 'attempt', attempt: attempts + 1, tokenId, expiresAt, purpose: mail.kind }
}

/** A claim without an outcome is respected for a while; a failed attempt is followed by a pause. */
const pause = (status: 'requested' | 'attempted', attempts: number, { claimMs, pausesMs }: MailRules): number => {
  if (status === 'attempted') return claimMs
  return attempts === 0 ? 0 : pausesMs[Math.min(attempts, pausesMs.length) - 1] ?? 0
}
