// One step of a rotation's transcript as JSON shows it.
import type { Exchange } from '../domain/credential/fields.ts'
import type { Vault } from '../ports.ts'
import { actorItem, exchangeItem, operatorIdOf } from './job-items.ts'
import type { JobFact } from './rotation-feed.ts'
import { openSealed } from './sealed-text.ts'

/** What the transcript has elsewhere, or does not show: a manifest is read by itself. */
const elsewhere: ReadonlySet<string> = new Set(['credential', 'rotationId', 'exchanges', 'manifest'])

export const transcriptItem = async ({ event, view }: JobFact, vault: Pick<Vault, 'open'>) => {
  const { metadata } = event
  return {
    revision: String(event.revision),
    position: String(event.position),
    fact: event.type,
    at: metadata.occurredAt,
    actor: actorItem(metadata.actor),
    operator_id: operatorIdOf(event),
    reason: await openSealed(vault)(metadata.reason),
    ticket: metadata.ticket ?? null,
    state: view.state,
    data: Object.fromEntries(Object.entries(event.data).filter(([name]) => !elsewhere.has(name)).map(([name, value]) => [name, withoutExchange(value)])),
    exchanges: exchangesOf(event.data).map(exchangeItem)
  }
}

interface Told { exchange?: Exchange }

/** Of the fact itself, and of each consumer's outcome in it, in their order. */
const exchangesOf = (data: object): Exchange[] => {
  const { exchanges = [], outcomes = [] } = data as { exchanges?: Exchange[], outcomes?: Told[] }
  return [...exchanges, ...outcomes.flatMap(({ exchange }) => exchange === undefined ? [] : [exchange])]
}

const withoutExchange = (value: unknown): unknown =>
  Array.isArray(value) ? value.map((item: unknown) => typeof item === 'object' && item !== null && 'exchange' in item ? { ...item, exchange: undefined } : item) : value
