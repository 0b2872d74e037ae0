// Ids of a link that a command may mint, derived from the command, and the link as an answer shows it.
import type { Minting } from '../../domain/tester/links.ts'
import type { Tester } from '../../domain/tester/tester.ts'
import type { ExpectedRevision, Ids } from '../../ports.ts'
import type { Receipt } from '../aggregate.ts'

/**
 * Everything needed to mint and mail a link. `seed` names the command, so that a repeat finds the same ids, and the
 * tester: a key may be used again for another one, whose link must never lead to the same account.
 */
export const mintingFor = (ids: Ids, seed: string, at: Date, ttlMs: number): Minting => {
  const tokenId = ids.derive('token', seed)
  return { link: { tokenId, userId: ids.derive('user', tokenId), mailId: ids.derive('mail', seed) }, ttlMs, at }
}

/** A link and its mail, as an answer shows them: only the mail carries the link itself. */
export interface MailedLink {
  testerId: string
  tokenId: string
  expiresAt: string | undefined
  mailId: string
  position: bigint
  revision: ExpectedRevision
}

/** The answer of a command that asked for a mail, rebuilt from its facts (decision 4). */
export const mailedLink = ({ state, events, position, revision }: Receipt<Tester, 'tester'>): MailedLink => {
  const request = events.find((event) => event.type === 'mail.requested')
  if (state.status === 'absent' || request === undefined) throw new Error('the command asked for no mail')
  const { tokenId, mailId } = request.data
  const expiresAt = state.tokens.find((token) => token.tokenId === tokenId)?.expiresAt
  return { testerId: state.testerId, tokenId, expiresAt, mailId, position, revision }
}
