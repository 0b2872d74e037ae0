// What the commands about accounts work with.
import type { EventStore, Ids, Keys, Vault } from '../../ports.ts'
import type { Aggregates } from '../execute.ts'

export interface UserDeps {
  aggregates: Aggregates
  events: Pick<EventStore, 'readStream'>
  ids: Ids
  keys: Pick<Keys, 'addressHash' | 'userNameHash'>
  vault: Pick<Vault, 'open'>
  /** From a deletion to its erasure, in ms. */
  purgeAfterMs: number
}

/** Whose key seals what is about the account. */
export const subjectOf = (userId: string): string => `user-${userId}`
