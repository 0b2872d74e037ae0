// Testers, verdicts and timelines as JSON shows them.
import type { TesterView } from '../commands/testers/overview.ts'
import type { Verdict } from '../domain/tester/tester.ts'
import type { AuditPointer } from '../queries.ts'

/** A verdict with its evidence; `becomes_ghost_at` only where there is such a moment. */
export const onTheWire = (verdict: Verdict & { becomesGhostAt?: string }) => ({
  state: verdict.state,
  ...(verdict.becomesGhostAt !== undefined && { becomes_ghost_at: verdict.becomesGhostAt }),
  rule: verdict.rule,
  threshold_ms: verdict.thresholdMs,
  evidence: verdict.evidence.map(({ stream, revision, type, occurredAt }) => ({ stream, revision, type, occurred_at: occurredAt })),
  evaluated_at_position: verdict.evaluatedAtPosition
})

export const testerItem = ({ row, email, name, verdict }: TesterView) => ({
  tester_id: row.testerId,
  email,
  name,
  origin: row.origin,
  invited_at: row.invitedAt,
  link: row.tokenId === null || row.userId === null || row.linkStatus === null || row.linkMintedAt === null
    ? null
    : { token_id: row.tokenId, user_id: row.userId, status: row.linkStatus, minted_at: row.linkMintedAt, expires_at: row.linkExpiresAt, opened_at: row.linkOpenedAt },
  mail: row.mailStatus,
  ghost_state: verdict?.state ?? null,
  becomes_ghost_at: verdict?.becomesGhostAt ?? null,
  evaluated_at_position: verdict?.evaluatedAtPosition ?? null,
  open_reset_id: row.openResetId,
  completed_resets: row.completedResets
})

export const timelineItem = ({ position, stream, revision, type, occurredAt, actorType, actorId, commandId }: AuditPointer) => ({
  position: String(position), stream, revision: String(revision), type, occurred_at: occurredAt, actor: { type: actorType, id: actorId }, command_id: commandId
})
