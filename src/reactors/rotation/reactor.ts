// The rotations' reactor: carries out what is due of a job, and appends what came of it, until the job waits.
import { credentialAggregate, openJob } from '../../domain/credential/credential.ts'
import type { Action } from '../../domain/rotation/actions.ts'
import { due } from '../../domain/rotation/due.ts'
import { RETRY_MS } from '../../domain/rotation/rules.ts'
import type { Intent, Reactor } from '../reactor.ts'
import { deliver, endDistribution, endValidation, expire, probe, startDeliveries, startValidation } from './perform-consumers.ts'
import { giveUpMint, mint, revokeOrphan, settleMint, verify } from './perform-mint.ts'
import { checkBeforeRevoke, checkOld, endAbort, finish, probeRefused, revokeNew, revokeOld, tellUnconfirmed } from './perform-revoke.ts'
import { createTurn, nameOf, type Memory, type Performed, type RotationReactorDeps, type Turn } from './turn.ts'

export type { RotationReactorDeps } from './turn.ts'

/** A job that waits for a human is looked at so often, in case nobody told of its step. */
const IDLE_MS = 60_000

/** Everything is derived from the job's facts, so a process that starts goes on where another one stopped. */
export const rotationReactor = (deps: RotationReactorDeps): Reactor => {
  // Gone with the intent, whoever settled it: what is remembered may hold a secret.
  const memories = new WeakMap<Intent, Memory>()
  return {
    name: 'rotation',
    intent: 'rotation.opened',
    wakesOnStream: true,
    carryOut: async (intent) => {
      const memory = memories.get(intent) ?? { rest: undefined }
      memories.set(intent, memory)
      return carryOut(deps, intent, memory)
    }
  }
}

const carryOut = async (deps: RotationReactorDeps, intent: Intent, memory: Memory): Promise<number | undefined> => {
  const { aggregates, clock } = deps
  const rest = await memory.rest?.()
  if (rest !== undefined) return rest
  let inVain: string | undefined
  for (let proved = false; ;) {
    // What a turn appended is the newest there is; only who appended nothing has to look.
    const name = nameOf(intent)
    const { state } = await (proved ? aggregates.cached(credentialAggregate, name) : aggregates.current(credentialAggregate, name))
    const job = openJob(state)
    if (state.status === 'absent' || job?.rotationId !== intent.id) return undefined
    const turn = createTurn(deps, intent, memory, state, job)
    const now = clock.now()
    const { actions: [action], again } = due(state, now, turn.rules)
    if (action === undefined) return again === undefined ? IDLE_MS : Math.min(IDLE_MS, Math.max(0, again.getTime() - now.getTime()))
    const pause = await perform(turn, action)
    if (pause !== undefined) return pause
    // Twice the same, and nothing came of it: whatever keeps it from being recorded, it is not asked for without end.
    const did = turn.appended() ? undefined : JSON.stringify(action)
    if (did !== undefined && did === inVain) return RETRY_MS
    inVain = did
    proved = turn.proved()
  }
}

const perform = (turn: Turn, action: Action): Performed => {
  switch (action.kind) {
    case 'verify': return verify(turn, action)
    case 'mint': return mint(turn, action)
    case 'give_up_mint': return giveUpMint(turn, action)
    case 'settle_mint': return settleMint(turn)
    case 'revoke_orphan': return revokeOrphan(turn, action)
    case 'start_deliveries': return startDeliveries(turn, action)
    case 'deliver': return deliver(turn, action)
    case 'expire_deliveries': return expire(turn, action)
    case 'end_distribution': return endDistribution(turn)
    case 'start_validation': return startValidation(turn, action)
    case 'probe': return probe(turn, action)
    case 'end_validation': return endValidation(turn, action)
    case 'check_before_revoke': return checkBeforeRevoke(turn)
    case 'revoke': return revokeOld(turn, action.attempt)
    case 'probe_refused': return probeRefused(turn, action)
    case 'tell_unconfirmed': return tellUnconfirmed(turn)
    case 'finish': return finish(turn)
    case 'check_old': return checkOld(turn)
    case 'revoke_new': return revokeNew(turn, action.attempt)
    case 'end_abort': return endAbort(turn)
  }
}
