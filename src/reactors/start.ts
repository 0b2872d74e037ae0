// Where a reactor begins: at the auditor's list of open intents instead of at the beginning of the log.
import type { AuditIndex, ProjectionStatus } from '../queries.ts'
import type { Start } from './engine.ts'
import type { Intent } from './reactor.ts'

const PAGE = 1000

/**
 * The position is read before the list, so what the list does not show yet comes by the subscription, and what it
 * shows too much is settled by it. While the index is being filled, the log is read from its beginning.
 */
export const startAtOpenIntents = (
  { index, projections, intent }: { index: Pick<AuditIndex, 'openIntents'>, projections: () => Promise<ProjectionStatus[]>, intent: string }
) => async (): Promise<Start> => {
  const audit = (await projections()).find(({ name }) => name === 'audit')
  if (audit?.state !== 'serving' || audit.position === 0n) return { open: [] }
  const open: Intent[] = []
  for (let after: bigint | undefined; ;) {
    const page = await index.openIntents({ intent, limit: PAGE, ...after !== undefined && { after } })
    open.push(...page.map(({ intentId, stream, eventId, commandId }) => ({ id: intentId, stream, eventId, correlationId: commandId })))
    if (page.length < PAGE) return { after: audit.position, open }
    after = page.at(-1)?.position
  }
}
