// Opens sealed text under the key of whom it names, where nothing else says whom it is about.
import { Clear } from '../domain/personal.ts'
import type { Vault } from '../ports.ts'
import type { OpenText } from './account-items.ts'

/** Null where there is nothing, it was erased, or the vault is closed to the caller. */
export const openSealed = (vault: Pick<Vault, 'open'>): OpenText => async (sealed) => {
  if (sealed === undefined || sealed instanceof Clear) return null
  const opened = await vault.open(sealed, sealed.subject)
  return opened.status === 'open' ? opened.text : null
}
