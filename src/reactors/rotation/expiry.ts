// The schedule of expiring credentials: opens the rotation, runs stage 1, and stops there; stages 2 and 3 wait for a human.
import type { CommandContext } from '../../commands/context.ts'
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import { openRotation, takeStep } from '../../commands/rotations/rotations.ts'
import { credentialAggregate, expiryOf, openJob } from '../../domain/credential/credential.ts'
import { Refusal, type Code } from '../../domain/codes.ts'
import type { KnownCredential } from '../../domain/credential/state.ts'
import type { DueRotation, RotationQueries } from '../../rotation-queries.ts'
import type { ReactorLog } from '../engine.ts'
import { lacksTokenId } from '../../domain/rotation/open.ts'
import type { Job } from '../../domain/rotation/state.ts'
import { mailIdOf } from './owner-mail.ts'
import { runSchedule, type RunningSchedule } from '../schedule.ts'

export interface ExpiryOptions extends RotationDeps {
  rotations: Pick<RotationQueries, 'due'>
  log: ReactorLog
  /** Time between two looks, in ms. */
  everyMs?: number
}

const ACTOR = { type: 'system', id: 'expiry' } as const
/** Who gave a rotation up is not asked again before a day is over (ADR 0171). */
const AFTER_ABORT_MS = 86_400_000

/** What another process, or an operator, may have done meanwhile: then there is nothing left to do here. */
const overtaken: ReadonlySet<Code> = new Set(['rotation_open', 'precondition_failed', 'step_not_offered', 'value_missing', 'subject_not_found'])

export const runExpiry = ({ rotations, log, everyMs, ...deps }: ExpiryOptions): RunningSchedule => runSchedule<DueRotation>({
  name: 'expiry',
  due: (now, limit, after) => rotations.due(now, new Date(now.getTime() - AFTER_ABORT_MS), limit, after?.credential),
  streamOf: ({ credential }) => `credential-${credential}`,
  carryOut: ({ credential }) => carryOut(deps, credential),
  clock: deps.clock,
  log,
  ...everyMs !== undefined && { everyMs }
})

/**
 * One look at a credential, decided from its stream. Each step is a command whose id derives from what it is about, so two
 * processes, or one that died in between, do it once.
 */
const carryOut = async (deps: RotationDeps, name: string): Promise<void> => {
  try {
    const { state } = await deps.aggregates.current(credentialAggregate, name)
    if (state.status === 'absent') return
    const job = openJob(state)
    if (job === undefined) {
      if (isDue(state, deps.clock.now())) await (lacksTokenId(state) ? askForMail(deps, state) : openAndVerify(deps, state))
    } else if (job.trigger === 'expiry' && job.state === 'opened') await verify(deps, name, job)
    else if (job.trigger === 'expiry' && job.state === 'verify_failed') await askForMail(deps, state, job)
  } catch (error) {
    if (!(error instanceof Refusal) || !overtaken.has(error.code)) throw error
  }
}

/** By the stream; a clock that is ahead of the database's opens a job early, which harms nobody. */
const isDue = (credential: KnownCredential, now: Date): boolean => {
  const expiry = expiryOf(credential)
  if (expiry === undefined || Date.parse(expiry.dueAt) > now.getTime()) return false
  return [...credential.past.values()].every(({ end, endedAt }) => end !== 'aborted' || now.getTime() - Date.parse(endedAt) >= AFTER_ABORT_MS)
}

const openAndVerify = async (deps: RotationDeps, { name, value, past }: KnownCredential): Promise<void> => {
  const context = contextOf(deps, 'open', name, value?.valueId ?? '', String(past.size))
  const { rotationId, state } = await openRotation(deps, { credential: name, mode: 'rotate', trigger: 'expiry' }, context)
  const job = openJob(state)
  if (job?.rotationId === rotationId && job.state === 'opened') await verify(deps, name, job)
}

/** Once by itself for each time that stage 1 is to begin: a manifest that changes may bring the job back to it. A failure is an operator's to ask about again. */
const verify = async (deps: RotationDeps, name: string, { rotationId, transition }: { rotationId: string, transition: number }): Promise<void> => {
  await takeStep(deps, { credential: name, rotationId, transition, step: { kind: 'verify' } }, contextOf(deps, 'verify', name, rotationId, String(transition)))
}

/** Intent first: the mail's reactor hands it over. Without a job none could be opened, and the mail says why. */
const askForMail = async (deps: RotationDeps, { name, value }: KnownCredential, job?: Job): Promise<void> => {
  const about = job === undefined ? { valueId: value?.valueId ?? '' } : { rotationId: job.rotationId }
  const mailId = mailIdOf(deps.ids, name, about)
  const context = contextOf(deps, 'owner-mail', mailId)
  await deps.aggregates.execute({
    aggregate: credentialAggregate,
    id: name,
    context,
    decide: (credential) => {
      const open = openJob(credential)
      const holds = job === undefined
        ? credential.status === 'known' && open === undefined && credential.value?.valueId === value?.valueId && lacksTokenId(credential)
        : open?.rotationId === job.rotationId && open.state === 'verify_failed'
      if (!holds) return []
      return [{ type: 'rotation.owner_mail_requested', data: { credential: name, ...job !== undefined && { rotationId: job.rotationId }, mailId, requestedAt: context.at.toISOString() } }]
    }
  })
}

const contextOf = ({ ids, clock }: Pick<RotationDeps, 'ids' | 'clock'>, what: string, ...about: string[]): CommandContext => {
  const commandId = ids.derive('expiry', what, ...about)
  return { commandId, at: clock.now(), actor: ACTOR, requestId: commandId }
}
