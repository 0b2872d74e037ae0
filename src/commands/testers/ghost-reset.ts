// The ghost reset (seed 000): one call carries a reset from intent to outcome, or joins one and carries it on.
import { Refusal, refuse, type Code } from '../../domain/codes.ts'
import { initiate, refuseReset, resetToJoin, usedLink } from '../../domain/tester/ghost-reset.ts'
import { testerAggregate, type GhostReset, type Tester } from '../../domain/tester/tester.ts'
import type { Loaded } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { TesterDeps } from './deps.ts'
import { carryOn, type ResetAnswer } from './reset-steps.ts'
import { consoleVerdict } from './verdict.ts'

export interface GhostResetCommand {
  testerId: string
  /** The position that the operator's verdict was shown for. */
  evaluatedAtPosition?: bigint
  /** The revision of the tester that the operator had seen (`If-Match`); not looked at where a reset is joined. */
  ifMatch?: bigint
}

/** Codes by which the accounts side says that there is nothing to reset: they close the reset. */
const VERDICTS: ReadonlySet<Code> = new Set(['account_healthy', 'mid_enrollment', 'verdict_stale', 'account_not_a_shell'])

/**
 * Resets a ghost. A call that finds an open reset joins it before any verdict is taken and goes on where it stopped;
 * a repeat within 60 s of the fresh link's minting gets the same answer (decisions 18–23).
 *
 * Refuses with `subject_not_found`, `link_not_used`, `account_healthy`, `mid_enrollment` (fields: `becomes_ghost_at`),
 * `verdict_stale`, `account_not_a_shell`, `accounts_unavailable`, `audit_unavailable`, `projection_behind`. Throws what the log throws;
 * then nothing was done after the last recorded step, and asking again goes on from there.
 */
export const ghostReset = async (deps: TesterDeps, command: GhostResetCommand, context: CommandContext): Promise<ResetAnswer> => {
  const reset = await findOrInitiate(deps, command, context)
  if (reset.status === 'refused') {
    return refuse(reset.code as Code, 'This reset was refused when it was asked for first. Nothing was deleted; ask again with a new Idempotency-Key.')
  }
  try {
    return await carryOn(deps, command.testerId, reset, context)
  } catch (error) {
    if (error instanceof Refusal && VERDICTS.has(error.code)) await close(deps, command.testerId, reset, error.code, context)
    throw error
  }
}

const findOrInitiate = async (deps: TesterDeps, command: GhostResetCommand, context: CommandContext): Promise<GhostReset> => {
  const { aggregates, ids } = deps
  const { testerId, evaluatedAtPosition } = command
  const resetId = ids.derive('ghost-reset', testerId, context.commandId)
  const loaded = await aggregates.current(testerAggregate, testerId)
  const known = earlier(loaded, resetId, context) ?? joinable(loaded.state, context.at)
  if (known !== undefined) return known

  const token = usedLink(loaded.state)
  const verdict = await consoleVerdict(deps, testerId, token)
  const receipt = await aggregates.execute({
    aggregate: testerAggregate,
    id: testerId,
    context,
    ...(command.ifMatch !== undefined && { ifMatch: command.ifMatch }),
    decide: (tester, { position }) => initiate(tester, {
      testerId, resetId, tokenId: token.tokenId, verdict, position, at: context.at,
      ...(evaluatedAtPosition !== undefined && { presentedPosition: evaluatedAtPosition })
    })
  })
  const { state } = receipt
  return resetOf(state, resetId) ?? joinable(state, context.at) ?? refuse('conflict', 'Another reset of this tester has just ended. Send the request again.')
}

/** The reset that this very command initiated, if it is a repeat. */
const earlier = ({ state, commands }: Loaded<Tester>, resetId: string, { commandId, fingerprint }: CommandContext): GhostReset | undefined => {
  const recorded = commands.get(commandId)
  if (recorded !== undefined && recorded.fingerprint !== fingerprint) {
    return refuse('idempotency_key_reused', 'This Idempotency-Key was used for another request. Send a new key with a new request.')
  }
  return recorded === undefined ? undefined : resetOf(state, resetId)
}

const joinable = (state: Tester, at: Date) => state.status === 'present' ? resetToJoin(state, at) : undefined

const resetOf = (state: Tester, resetId: string) =>
  state.status === 'present' ? state.resets.find((reset) => reset.resetId === resetId) : undefined

/** Records that the reset was not carried out; whoever joined it finds it closed. */
const close = async (deps: TesterDeps, testerId: string, { resetId, initiator }: GhostReset, code: Code, context: CommandContext): Promise<void> => {
  const at = deps.clock.now()
  await deps.aggregates.execute({
    aggregate: testerAggregate,
    id: testerId,
    context: {
      commandId: deps.ids.derive('ghost-reset-refused', resetId), at, actor: initiator.actor, requestId: context.requestId,
      correlationId: initiator.correlationId, causationId: initiator.commandId
    },
    decide: (tester) => refuseReset(tester, resetId, code, at)
  })
}
