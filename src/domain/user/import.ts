// Takes over an account of an existing beta; its passkeys stay behind as placeholders (decision 41).
import type { EventOf } from '../catalogue.ts'
import type { Instant } from '../event.ts'
import type { Clear } from '../personal.ts'
import type { User } from './user.ts'

export interface ImportedUser {
  userId: string
  testerId: string
  email: Clear
  addressHash: string
  createdAt: Instant
  passkeyPlaceholders: number
}

/** Nothing to record for an account that is here, or that was here and was reset. */
export const importUser = (user: User, row: ImportedUser): Array<EventOf<'user'>> =>
  user.status === 'absent' ? [{ type: 'user.imported', data: { ...row } }] : []
