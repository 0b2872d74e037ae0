// Tokens that the vendor lists, that were minted for a job, and whose value nobody holds.
import type { Job } from './state.ts'

/** A token as a vendor's list shows it. */
export interface Listed { tokenId: string, label?: string }

const labelPrefix = (rotationId: string): string => `chancery-rotation-${rotationId}-`
/** The label that a token is minted under, by which the vendor's list shows it. */
export const labelOf = (rotationId: string, attempt: number): string => `${labelPrefix(rotationId)}${attempt}`

/**
 * Known by its label; where the list knows no labels, what is new since an unknown minting is ours, and only then: somebody else
 * may mint there as well.
 */
export const leftovers = <T extends Listed>({ rotationId, newValue, oldValue, minting }: Job, tokens: readonly T[]): T[] => tokens.filter(({ tokenId, label }) => {
  if (tokenId === newValue?.vendorTokenId || tokenId === oldValue.vendorTokenId) return false
  // It may be the one that is being minted right now.
  if (minting?.status === 'started') return false
  if (label !== undefined) return label.startsWith(labelPrefix(rotationId)) && (newValue === undefined || newValue.vendorTokenId !== undefined || label !== minting?.label)
  return minting?.status === 'unknown' && minting.knownTokenIds !== undefined && !minting.knownTokenIds.includes(tokenId)
})
