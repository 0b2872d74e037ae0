// One look at a job, with what is needed to act on it: the job as it stood then, and the way to record facts.
import type { CommandContext } from '../../commands/context.ts'
import type { FetchDeps } from '../../commands/rotations/deps.ts'
import { streamIdOf } from '../../domain/catalogue.ts'
import { credentialAggregate, openJob } from '../../domain/credential/credential.ts'
import type { Credential, KnownCredential } from '../../domain/credential/state.ts'
import { due, heldElsewhereUntil } from '../../domain/rotation/due.ts'
import { distributionEnded, validationEnded } from '../../domain/rotation/outcomes-consumers.ts'
import { onJob, type Facts, type Outcome } from '../../domain/rotation/outcomes.ts'
import { SYSTEM, type DueRules } from '../../domain/rotation/rules.ts'
import type { Job } from '../../domain/rotation/state.ts'
import type { Deliveries, VendorGateway } from '../../rotation-ports.ts'
import type { Intent } from '../reactor.ts'

export type RotationReactorDeps = Omit<FetchDeps, 'deliveries' | 'tickets'> & {
  deliveries: Pick<Deliveries, 'seal' | 'push' | 'announce' | 'probe'>
  /** This process's own id, a new one for every start: tells whose claims are ours. */
  holder: string
  /** Instead of a timer. */
  pause?: (milliseconds: number) => Promise<unknown>
}

/** What a process knows of a job beyond its facts, and may lose. */
export interface Memory {
  /** The rest of a minting whose answer is known and not recorded yet; says in how many ms to go on with it. */
  rest: (() => Performed) | undefined
}

export interface Turn {
  deps: RotationReactorDeps
  intent: Intent
  memory: Memory
  credential: KnownCredential
  job: Job
  gateway: VendorGateway
  rules: DueRules
  /** Appends what a decision makes of it. @returns the job as it is then, and whether anything was appended */
  record: (outcome: Outcome) => Promise<Recorded>
  /** The same for what may be done by one process only: lost if another one holds the job. */
  claim: (outcome: Outcome) => Promise<boolean>
  /** True once an append, or the read of one that had nothing to append, has proved what is cached of the credential. */
  proved: () => boolean
  /** True once anything was appended in this turn. */
  appended: () => boolean
}

export interface Recorded { appended: boolean, job: Job | undefined, version: number }

/** In how many ms to look again; undefined: at once. */
export type Performed = Promise<number | undefined>

export const nameOf = ({ stream }: Intent): string => streamIdOf(stream)

export const createTurn = (deps: RotationReactorDeps, intent: Intent, memory: Memory, credential: KnownCredential, job: Job): Turn => {
  const { aggregates, clock, ids, holder, vendors } = deps
  const gateway = vendors.gateway({ credential: credential.name, manifest: credential.manifest })
  const rules: DueRules = { ...deps.rules, holder, timeLimitMs: gateway.timeLimitMs }

  /** What ends a stage asks nothing of anybody, so it is appended with the facts after which it is due. */
  const ending = (then: Credential, at: Date): Facts => {
    const { actions: [action] } = due(then, at, rules)
    if (action?.kind === 'end_distribution') return onJob(then, job.rotationId, at, distributionEnded)
    if (action?.kind === 'end_validation') return onJob(then, job.rotationId, at, validationEnded(action.round, action.purpose))
    return []
  }

  let proved = false
  let appended = false
  const append = async (outcome: Outcome): Promise<Recorded> => {
    const context = contextOf(intent, ids.next(), holder, clock.now())
    const { events, state } = await aggregates.execute({
      aggregate: credentialAggregate, id: credential.name, context,
      decide: (current, _, after) => {
        const facts = onJob(current, job.rotationId, context.at, outcome)
        return facts.length === 0 ? facts : [...facts, ...ending(after(facts), context.at)]
      }
    })
    proved = true
    appended ||= events.length > 0
    return { appended: events.length > 0, job: openJob(state), version: state.status === 'known' ? state.version : 0 }
  }
  return {
    deps, intent, memory, credential, job, gateway, rules,
    record: append,
    claim: async (outcome) => {
      const { appended } = await append((open) => heldElsewhereUntil(open.job, rules) > Date.parse(open.at) ? [] : outcome(open))
      return appended
    },
    proved: () => proved,
    appended: () => appended
  }
}

const contextOf = (intent: Intent, commandId: string, holder: string, at: Date): CommandContext => ({
  commandId, at, actor: { type: 'system', id: SYSTEM }, requestId: holder, correlationId: intent.correlationId, causationId: intent.eventId
})
