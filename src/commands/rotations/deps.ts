// What the use cases on credentials and rotations need.
import type { Credential } from '../../domain/credential/credential.ts'
import type { RotationRules } from '../../domain/rotation/rules.ts'
import type { Clock, EventStore, Ids } from '../../ports.ts'
import type { CredentialValues, Deliveries, SubscriberKeys, Tickets, Vendors } from '../../rotation-ports.ts'
import type { Receipt } from '../aggregate.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface RotationDeps {
  aggregates: Aggregates
  events: Pick<EventStore, 'readStream'>
  ids: Ids
  clock: Clock
  keys: SubscriberKeys
  values: CredentialValues
  vendors: Vendors
  tickets: Tickets
  rules: RotationRules
}

export type FetchDeps = RotationDeps & { deliveries: Pick<Deliveries, 'seal'> }
export type CredentialReceipt = Receipt<Credential, 'credential'>

/** What the ticket system says to the context's ticket; undefined where none was named, which the decision refuses. */
export const checkedTicket = async ({ tickets }: Pick<RotationDeps, 'tickets'>, { ticket }: CommandContext): Promise<'open' | 'format' | undefined> =>
  ticket === undefined ? undefined : tickets.check(ticket)
