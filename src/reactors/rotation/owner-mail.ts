// Tells a credential's owner by mail that its rotation could not be verified: claims, hands over, records. At least once.
import type { CommandContext } from '../../commands/context.ts'
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import type { RecordedCommand } from '../../commands/aggregate.ts'
import { credentialAggregate, expiryOf } from '../../domain/credential/credential.ts'
import type { EventOf } from '../../domain/catalogue.ts'
import type { Credential, KnownCredential } from '../../domain/credential/state.ts'
import { Clear } from '../../domain/personal.ts'
import type { Ids, Mail, Mailer, MailOutcome, Vault } from '../../ports.ts'
import { isTheConnection } from '../../domain/rotation/sentences.ts'
import type { Intent, Reactor } from '../reactor.ts'
import { nameOf } from './turn.ts'

export interface OwnerMailRules {
  maxAttempts: number
  /** Pause after the n-th failed attempt, in ms; the last one holds for all further ones. */
  pausesMs: readonly number[]
  /** How long a claim of another process is respected, in ms; 0 where there can be none. */
  claimMs: number
}

export interface OwnerMailDeps extends Pick<RotationDeps, 'aggregates' | 'ids' | 'clock'> {
  vault: Pick<Vault, 'open'>
  mailer: Mailer
  publicUrl: string
  rules: OwnerMailRules
  written?: (path: string) => void
}

type Fact = EventOf<'credential'>
type Commands = ReadonlyMap<string, RecordedCommand>
interface Claim { attempt: number, since: number }

const ACTOR = { type: 'system', id: 'owner-mail' } as const

/**
 * How far a mail is, its commands say: each has an id that derives from the mail, the attempt and the step, and the stream
 * knows every command that it holds. So nothing of it stands in the credential's state.
 */
export const ownerMailReactor = (deps: OwnerMailDeps): Reactor => {
  /** Attempts that are claimed and have no outcome, since when this process knows of them. */
  const claims = new WeakMap<Intent, Claim>()
  /** What became of an attempt, until it is recorded: a log that is away for a while must not cause a second mail. */
  const outcomes = new WeakMap<Intent, { attempt: number, outcome: MailOutcome }>()
  return {
    name: 'owner-mail',
    intent: 'rotation.owner_mail_requested',
    carryOut: async (intent) => {
      const again = await carryOut(deps, intent, claims, outcomes)
      if (again === undefined) claims.delete(intent)
      return again
    }
  }
}

const carryOut = async (
  deps: OwnerMailDeps, intent: Intent, claims: WeakMap<Intent, Claim>, outcomes: WeakMap<Intent, { attempt: number, outcome: MailOutcome }>
): Promise<number | undefined> => {
  const { aggregates, rules, mailer } = deps
  const { id: mailId } = intent
  const name = nameOf(intent)
  let known = outcomes.get(intent)
  if (known === undefined) {
    const { state, commands } = await aggregates.current(credentialAggregate, name)
    if (state.status === 'absent' || commands.has(idOf(deps, mailId, 'sent'))) return undefined
    const made = attemptsOf(deps, commands, mailId)
    const claim = claims.get(intent)
    if (made > 0 && !commands.has(idOf(deps, mailId, 'failed', made))) {
      // Somebody claimed it and has not said what came of it: he is given his time, and is then taken for dead.
      const since = claim?.attempt === made ? claim.since : performance.now()
      claims.set(intent, { attempt: made, since })
      const left = rules.claimMs - (performance.now() - since)
      if (left > 0) return left
    }
    const attempt = made + 1
    if (attempt > rules.maxAttempts) known = { attempt: made, outcome: { status: 'failed', final: true } }
    else {
      if (!await record(deps, intent, name, 'attempted', attempt, ({ rotationId, at }) => ({ type: 'rotation.owner_mail_attempted', data: { credential: name, rotationId, mailId, attempt, attemptedAt: at } }))) return 0
      const mail = await compose(deps, state, mailId)
      known = { attempt, outcome: mail === undefined ? { status: 'failed', final: true } : await mailer.send(mail) }
    }
    outcomes.set(intent, known)
  }
  const { attempt, outcome } = known
  const code = outcome.replyCode === undefined ? {} : { replyCode: outcome.replyCode }
  if (outcome.status === 'sent') {
    await record(deps, intent, name, 'sent', undefined, ({ rotationId, at }) => ({ type: 'rotation.owner_mail_sent', data: { credential: name, rotationId, mailId, attempt, sentAt: at, ...code } }))
    outcomes.delete(intent)
    if (outcome.where !== undefined) deps.written?.(outcome.where)
    return undefined
  }
  const final = outcome.final || attempt >= rules.maxAttempts
  await record(deps, intent, name, 'failed', attempt, ({ rotationId, at }) => ({ type: 'rotation.owner_mail_failed', data: { credential: name, rotationId, mailId, attempt, final, failedAt: at, ...code } }))
  outcomes.delete(intent)
  return final ? undefined : rules.pausesMs[Math.min(attempt, rules.pausesMs.length) - 1] ?? 0
}

/** One mail for each rotation. */
export const mailIdOf = (ids: Ids, credential: string, rotationId: string): string => ids.derive('owner-mail', credential, rotationId)

const idOf = ({ ids }: Pick<OwnerMailDeps, 'ids'>, mailId: string, step: 'attempted' | 'failed' | 'sent', attempt?: number): string =>
  ids.derive('owner-mail', mailId, step, ...attempt === undefined ? [] : [String(attempt)])

const attemptsOf = (deps: OwnerMailDeps, commands: Commands, mailId: string): number => {
  let made = 0
  while (commands.has(idOf(deps, mailId, 'attempted', made + 1))) made++
  return made
}

/** False if somebody recorded it before: of several processes, one has the attempt. */
const record = async (
  deps: OwnerMailDeps, intent: Intent, name: string, step: 'attempted' | 'failed' | 'sent', attempt: number | undefined, fact: (of: { rotationId: string, at: string }) => Fact
): Promise<boolean> => {
  const { aggregates, clock } = deps
  const at = clock.now()
  const commandId = idOf(deps, intent.id, step, attempt)
  const context: CommandContext = { commandId, at, actor: ACTOR, requestId: commandId, correlationId: intent.correlationId, causationId: intent.eventId }
  const { replayed } = await aggregates.execute({
    aggregate: credentialAggregate, id: name, context,
    decide: (credential) => {
      const rotationId = rotationOf(deps, credential, intent.id)
      return rotationId === undefined ? [] : [fact({ rotationId, at: at.toISOString() })]
    }
  })
  return !replayed
}

/** The one that the mail is about, which may have ended meanwhile. */
const rotationOf = ({ ids }: Pick<OwnerMailDeps, 'ids'>, credential: Credential, mailId: string): string | undefined => credential.status === 'absent'
  ? undefined
  : [credential.job?.rotationId ?? '', ...credential.past.keys()].find((rotationId) => mailIdOf(ids, credential.name, rotationId) === mailId)

/** What our own manifest is to blame for can be said in clear. */
const ownConnection = ({ job }: KnownCredential): string[] => job?.failure === undefined || isTheConnection(job.failure) === undefined
  ? []
  : ['The reason: the connection of its manifest is the same secret, under another name, and would revoke itself.', 'Name another connection in the manifest: a credential, or an account, with a secret of its own.', '']

/** Undefined if nobody is left to write to. No word of the vendor's stands in it: mail travels in clear. */
const compose = async ({ vault, publicUrl }: OwnerMailDeps, credential: KnownCredential, mailId: string): Promise<Mail | undefined> => {
  const { name, manifest: { owner: { email } } } = credential
  if (email instanceof Clear) throw new Error('a manifest that was not recorded')
  const to = await vault.open(email, email.subject)
  if (to.status !== 'open') return undefined
  const expiresAt = expiryOf(credential)?.expiresAt
  const text = [
    `The credential ${name} ${expiresAt === undefined ? 'is due for a rotation' : `expires on ${expiresAt.slice(0, 10)}`}, so a rotation was opened, and its current value was tried at the vendor.`,
    'That failed. Nothing was changed: the value that is in use stays as it is, also if it no longer works.', '',
    ...ownConnection(credential),
    'What the vendor said, and what to do next:', '',
    `  chancery rotate ${name}`, '',
    `Chancery is at ${publicUrl}.`, ''
  ].join('\n')
  return { messageId: `<${mailId}@${new URL(publicUrl).hostname}>`, to: to.text, subject: `The rotation of ${name} could not begin`, text }
}
