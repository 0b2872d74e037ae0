// Dresses the facts of a decision with ids and metadata, ready to append.
import { definitionOf, type ChanceryEvent } from '../domain/catalogue.ts'
import type { EventMetadata } from '../domain/event.ts'
import type { Ids, NewEvent } from '../ports.ts'
import type { CommandContext } from './context.ts'

const optional = ['source', 'reasonCode', 'ticket', 'traceparent', 'reason', 'ip', 'userAgent'] as const

/** One NewEvent per fact, each under a new id and the command's metadata. */
export const dress = (facts: readonly ChanceryEvent[], context: CommandContext, ids: Ids): NewEvent[] =>
  facts.map((fact) => ({ ...fact, id: ids.next(), metadata: metadataOf(fact.type, context) }))

const metadataOf = (type: string, context: CommandContext): EventMetadata => {
  const metadata: EventMetadata = {
    $correlationId: context.correlationId ?? context.commandId,
    $causationId: context.causationId ?? context.commandId,
    commandId: context.commandId,
    ...(context.fingerprint !== undefined && { commandFingerprint: context.fingerprint }),
    schemaVersion: definitionOf(type)?.version ?? 1,
    occurredAt: context.at.toISOString(),
    actor: context.actor,
    requestId: context.requestId
  }
  for (const key of optional) if (context[key] !== undefined) Object.assign(metadata, { [key]: context[key] })
  return metadata
}
