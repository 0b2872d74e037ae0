// The mail reactor: claims a mail by appending the attempt, hands it over, appends what became of it. At least once.
import type { CommandContext } from '../../commands/context.ts'
import { addressOf } from '../../commands/enrolment/deps.ts'
import type { Aggregates } from '../../commands/execute.ts'
import { streamIdOf, type EventOf } from '../../domain/catalogue.ts'
import { testerAggregate, type PresentTester } from '../../domain/tester/tester.ts'
import type { Clock, Ids, Keys, Mailer, MailOutcome, Vault } from '../../ports.ts'
import type { Intent, Reactor } from '../reactor.ts'
import { compose } from './compose.ts'
import { nextStep, type MailRules, type MailStep } from './next-step.ts'

export interface MailReactorDeps {
  aggregates: Aggregates
  clock: Clock
  ids: Ids
  keys: Pick<Keys, 'linkSecret'>
  vault: Pick<Vault, 'open'>
  mailer: Mailer
  publicUrl: string
  rules: MailRules
  /** Told the path of an outbox file. */
  written?: (path: string) => void
}

type Attempt = MailStep & { kind: 'attempt' }

export const mailReactor = (deps: MailReactorDeps): Reactor => {
  const memory: Memory = { claims: new Map(), outcomes: new Map() }
  return {
    name: 'mail',
    intent: 'mail.requested',
    carryOut: (intent) => carryOut(deps, intent, memory)
  }
}

/** What became of an attempt, until it is recorded: a log that is away for a while must not cause a second mail. */
interface Outcome { attempt: number, fact: EventOf<'tester'> & { type: 'mail.sent' | 'mail.failed' } }

/** A claim of which it is unknown whether it was recorded: asked for again under the same id, it is known to be ours. */
interface Claim { commandId: string, step: Attempt }

interface Memory { claims: Map<string, Claim>, outcomes: Map<string, Outcome> }

const carryOut = async (deps: MailReactorDeps, intent: Intent, { claims, outcomes }: Memory): Promise<number | undefined> => {
  const { aggregates, clock, rules } = deps
  const { id: mailId } = intent
  const testerId = streamIdOf(intent.stream)
  if (!outcomes.has(mailId)) {
    const { state } = await aggregates.current(testerAggregate, testerId)
    const step = claims.get(mailId)?.step ?? nextStep(state, mailId, clock.now(), rules)
    if (step.kind === 'nothing' || state.status === 'absent') return undefined
    if (step.kind === 'wait') return step.ms
    // Lost to another process: look again.
    if (step.kind === 'attempt' && !await claim(deps, intent, testerId, step, claims)) return 0
    const outcome = step.kind === 'attempt' ? await handOver(deps, state, mailId, step) : lost
    outcomes.set(mailId, { attempt: step.attempt, fact: factOf(deps, { testerId, mailId, attempt: step.attempt }, outcome) })
    if (outcome.status === 'sent' && outcome.where !== undefined) deps.written?.(outcome.where)
  }
  const outcome = outcomes.get(mailId)
  if (outcome === undefined) return 0
  await record(deps, intent, testerId, outcome)
  outcomes.delete(mailId)
  return outcome.fact.type === 'mail.failed' && !outcome.fact.data.final ? 0 : undefined
}

/** Nobody is to try again. */
const lost: MailOutcome = { status: 'failed', final: true }

/** True if the attempt is ours; of several processes, it is one's. */
const claim = async (
  { aggregates, clock, ids, rules }: MailReactorDeps, intent: Intent, testerId: string, step: Attempt, claims: Map<string, Claim>
): Promise<boolean> => {
  const { id: mailId } = intent
  const at = clock.now()
  const { commandId } = claims.get(mailId) ?? { commandId: ids.next() }
  claims.set(mailId, { commandId, step })
  const { events } = await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context: contextOf(intent, commandId, at),
    decide: (tester) => {
      const now = nextStep(tester, mailId, at, rules)
      return now.kind === 'attempt' && now.attempt === step.attempt
        ? [{ type: 'mail.attempted', data: { testerId, mailId, attempt: step.attempt, attemptedAt: at.toISOString() } }]
        : []
    }
  })
  claims.delete(mailId)
  return events.length > 0
}

const handOver = async (deps: MailReactorDeps, tester: PresentTester, mailId: string, step: Attempt): Promise<MailOutcome> => {
  const { keys, publicUrl, mailer } = deps
  const { tokenId, expiresAt, purpose } = step
  // The claim may be older than this look at the stream: a link that was replaced since is not sent.
  if (tester.tokens.find((token) => token.tokenId === tokenId)?.status === 'revoked') return lost
  const to = await addressOf(deps, tester)
  // The person was erased meanwhile: nobody is left to write to.
  if (to === undefined) return lost
  return mailer.send(compose({ keys, publicUrl, mailId, testerId: tester.testerId, tokenId, expiresAt, purpose, to }))
}

const factOf = (
  { clock, rules }: MailReactorDeps, of: { testerId: string, mailId: string, attempt: number }, outcome: MailOutcome
): Outcome['fact'] => {
  const at = clock.now().toISOString()
  const code = outcome.replyCode === undefined ? {} : { replyCode: outcome.replyCode }
  return outcome.status === 'sent'
    ? { type: 'mail.sent', data: { ...of, sentAt: at, ...code } }
    : { type: 'mail.failed', data: { ...of, failedAt: at, final: outcome.final || of.attempt >= rules.maxAttempts, ...code } }
}

/** An outcome is recorded once, however often its append is tried. */
const record = async ({ aggregates, clock, ids }: MailReactorDeps, intent: Intent, testerId: string, { attempt, fact }: Outcome): Promise<void> => {
  await aggregates.execute({
    aggregate: testerAggregate, id: testerId, decide: () => [fact],
    context: contextOf(intent, ids.derive('mail', intent.id, String(attempt), fact.type), clock.now())
  })
}

const contextOf = (intent: Intent, commandId: string, at: Date): CommandContext => ({
  commandId, at, actor: { type: 'system', id: 'mail' }, requestId: commandId, correlationId: intent.correlationId, causationId: intent.eventId
})
