// Tells a credential's owner by mail that its rotation could not be verified, or not even opened: claims, hands over, records. At least once.
import type { CommandContext } from '../../commands/context.ts'
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import type { RecordedCommand } from '../../commands/aggregate.ts'
import { credentialAggregate, expiryOf } from '../../domain/credential/credential.ts'
import type { EventOf } from '../../domain/catalogue.ts'
import type { KnownCredential } from '../../domain/credential/state.ts'
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
interface About { rotationId?: string }
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
      if (!await record(deps, intent, name, 'attempted', attempt, ({ about, at }) => ({ type: 'rotation.owner_mail_attempted', data: { credential: name, ...about, mailId, attempt, attemptedAt: at } }))) return 0
      const mail = await compose(deps, state, mailId)
      known = { attempt, outcome: mail === undefined ? { status: 'failed', final: true } : await mailer.send(mail) }
    }
    outcomes.set(intent, known)
  }
  const { attempt, outcome } = known
  const code = outcome.replyCode === undefined ? {} : { replyCode: outcome.replyCode }
  if (outcome.status === 'sent') {
    await record(deps, intent, name, 'sent', undefined, ({ about, at }) => ({ type: 'rotation.owner_mail_sent', data: { credential: name, ...about, mailId, attempt, sentAt: at, ...code } }))
    outcomes.delete(intent)
    if (outcome.where !== undefined) deps.written?.(outcome.where)
    return undefined
  }
  const final = outcome.final || attempt >= rules.maxAttempts
  await record(deps, intent, name, 'failed', attempt, ({ about, at }) => ({ type: 'rotation.owner_mail_failed', data: { credential: name, ...about, mailId, attempt, final, failedAt: at, ...code } }))
  outcomes.delete(intent)
  return final ? undefined : rules.pausesMs[Math.min(attempt, rules.pausesMs.length) - 1] ?? 0
}

/** One mail for each rotation; where none could be opened, one for each value in use. */
export const mailIdOf = (ids: Ids, credential: string, about: { rotationId: string } | { valueId: string }): string =>
  'rotationId' in about ? ids.derive('owner-mail', credential, about.rotationId) : ids.derive('owner-mail', 'not-opened', credential, about.valueId)

const idOf = ({ ids }: Pick<OwnerMailDeps, 'ids'>, mailId: string, step: 'attempted' | 'failed' | 'sent', attempt?: number): string =>
  ids.derive('owner-mail', mailId, step, ...attempt === undefined ? [] : [String(attempt)])

const attemptsOf = (deps: OwnerMailDeps, commands: Commands, mailId: string): number => {
  let made = 0
  while (commands.has(idOf(deps, mailId, 'attempted', made + 1))) made++
  return made
}

/** False if somebody recorded it before: of several processes, one has the attempt. */
const record = async (
  deps: OwnerMailDeps, intent: Intent, name: string, step: 'attempted' | 'failed' | 'sent', attempt: number | undefined, fact: (of: { about: About, at: string }) => Fact
): Promise<boolean> => {
  const { aggregates, clock } = deps
  const at = clock.now()
  const commandId = idOf(deps, intent.id, step, attempt)
  const context: CommandContext = { commandId, at, actor: ACTOR, requestId: commandId, correlationId: intent.correlationId, causationId: intent.eventId }
  const { replayed } = await aggregates.execute({
    aggregate: credentialAggregate, id: name, context,
    decide: (credential) => credential.status === 'absent' ? [] : [fact({ about: aboutOf(deps, credential, intent.id), at: at.toISOString() })]
  })
  return !replayed
}

/** The rotation that the mail is about, which may have ended meanwhile; nothing where none could be opened. */
const aboutOf = ({ ids }: Pick<OwnerMailDeps, 'ids'>, { name, job, past }: KnownCredential, mailId: string): About => {
  const rotationId = [...job === undefined ? [] : [job.rotationId], ...past.keys()].find((id) => mailIdOf(ids, name, { rotationId: id }) === mailId)
  return rotationId === undefined ? {} : { rotationId }
}

const notVerified = (due: string, credential: KnownCredential): string[] => [
  `${due}, so a rotation was opened, whose first stage is to try the current value at the vendor.`,
  'That stage failed. Nothing was changed: the value that is in use stays as it is, also if it no longer works.', '',
  ...ownConnection(credential),
  'Why, and what to do next:', '',
  `  chancery rotate ${credential.name}`
]

const notOpened = (due: string, name: string): string[] => [
  `${due}, and no rotation can be opened: the vendor has to be told which token to revoke, and the id of the one in use is not known.`,
  'Nothing was changed. Adopt the value again, with the id that the vendor gave it; the rotation then opens by itself:', '',
  `  chancery credentials adopt ${name} --vendor-token-id ID`
]

/** What our own manifest is to blame for can be said in clear. */
const ownConnection = ({ job }: KnownCredential): string[] => job?.failure === undefined || isTheConnection(job.failure) === undefined
  ? []
  : ['The reason: the connection of its manifest is the same secret, under another name, and would revoke itself.', 'Name another connection in the manifest: a credential, or an account, with a secret of its own.', '']

/** Undefined if nobody is left to write to. No word of the vendor's stands in it: mail travels in clear. */
const compose = async ({ ids, vault, publicUrl }: OwnerMailDeps, credential: KnownCredential, mailId: string): Promise<Mail | undefined> => {
  const { name, manifest: { owner: { email } } } = credential
  if (email instanceof Clear) throw new Error('a manifest that was not recorded')
  const to = await vault.open(email, email.subject)
  if (to.status !== 'open') return undefined
  const expiresAt = expiryOf(credential)?.expiresAt
  const due = `The credential ${name} ${expiresAt === undefined ? 'is due for a rotation' : `expires on ${expiresAt.slice(0, 10)}`}`
  const { rotationId } = aboutOf({ ids }, credential, mailId)
  const text = [...rotationId === undefined ? notOpened(due, name) : notVerified(due, credential), '', `Chancery is at ${publicUrl}.`, ''].join('\n')
  return { messageId: `<${mailId}@${new URL(publicUrl).hostname}>`, to: to.text, subject: `The rotation of ${name} could not begin`, text }
}
