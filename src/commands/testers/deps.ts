// What the console's commands about testers work with.
import type { AccountsGateway } from '../../account-ports.ts'
import type { Clock, Ids, Keys, MailWatch, Vault } from '../../ports.ts'
import type { TesterQueries } from '../../queries.ts'
import type { Aggregates } from '../execute.ts'

export interface TesterDeps {
  aggregates: Aggregates
  ids: Ids
  keys: Pick<Keys, 'addressHash'>
  clock: Clock
  vault: Pick<Vault, 'open'>
  accounts: AccountsGateway
  mail: MailWatch
  testers: TesterQueries
  /** How long a link is good, in ms. */
  linkTtlMs: number
}
