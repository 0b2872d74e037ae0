// The smallest of some positions.

/** Undefined if there is none. */
export const least = (positions: readonly bigint[]): bigint | undefined =>
  positions.reduce<bigint | undefined>((least, position) => least === undefined || position < least ? position : least, undefined)
