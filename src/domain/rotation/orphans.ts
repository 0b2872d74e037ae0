// Tokens that the vendor lists, that were minted for a credential, and whose value nobody holds.
import type { Job, PastRotation } from './state.ts'

/** A token as a vendor's list shows it. */
export interface Listed { tokenId: string, label?: string }

/** `unexplained`: one of them may be ours, and nobody can tell which. */
export interface Orphans<T> { ours: T[], unexplained: T[] }

/** The label that a token is minted under, by which the vendor's list shows it. */
export const labelOf = (rotationId: string, attempt: number): string => `chancery-rotation-${rotationId}-${attempt}`
const rotationIn = (label: string): string | undefined => /^chancery-rotation-(.{36})-\d+$/.exec(label)?.[1]

/**
 * Known by its label, also that of an earlier rotation of the credential. Where the list knows no labels, what is new since before an unknown
 * minting is ours if it is looked for just then, and is the only one (ADR 0154): somebody else may mint there as well.
 */
export const orphansAmong = <T extends Listed>(job: Job, past: ReadonlyMap<string, PastRotation>, tokens: readonly T[]): Orphans<T> => {
  const { newValue, oldValue, minting } = job
  // It may be the one that is being minted right now.
  if (minting?.status === 'started') return { ours: [], unexplained: [] }
  const unused = tokens.filter(({ tokenId }) => tokenId !== newValue?.vendorTokenId && tokenId !== oldValue.vendorTokenId)
  const labelled = unused.filter(({ tokenId, label }) => label !== undefined && isOurs(job, past, tokenId, label))
  const unlabelled = unused.filter(({ tokenId, label }) => label === undefined && isNew(job, tokenId))
  return unlabelled.length === 1 && isLookedFor(job)
    ? { ours: [...labelled, ...unlabelled], unexplained: [] }
    : { ours: labelled, unexplained: unlabelled }
}

/** Where the list knows no labels: not listed before the last minting, after one whose outcome was unknown, and not told yet. */
const isNew = ({ wasUnknown, listedBefore, unexplained }: Job, tokenId: string): boolean =>
  wasUnknown && listedBefore !== undefined && !listedBefore.includes(tokenId) && !unexplained.includes(tokenId)

/** A minting makes one token at most: nothing of it was found or told so far. */
const isLookedFor = ({ minting, orphanAt }: Job): boolean => minting?.status === 'unknown' && (orphanAt === undefined || orphanAt < minting.at)

/** What was in use after an earlier rotation may be in use still, if another value was adopted since. */
const isOurs = ({ rotationId, newValue, minting }: Job, past: ReadonlyMap<string, PastRotation>, tokenId: string, label: string): boolean => {
  const of = rotationIn(label)
  if (of === undefined) return false
  if (of === rotationId) return newValue === undefined || newValue.vendorTokenId !== undefined || label !== minting?.label
  const earlier = past.get(of)
  return earlier !== undefined && earlier.vendorTokenId !== tokenId
}
