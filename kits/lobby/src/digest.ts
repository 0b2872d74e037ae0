// The rolling hash over a range of entries, by which a consumer proves that it has seen what the log holds.
import { createHash } from 'node:crypto'

/** Everything after `from` up to the position it belongs to. */
export interface RollingDigest {
  from: bigint
  count: number
  /** 64 hex digits. */
  hash: string
}

/** h₀: 32 zero bytes. */
export const emptyDigest = (from: bigint): RollingDigest => ({ from, count: 0, hash: '0'.repeat(64) })

/** hₙ = SHA-256(hₙ₋₁ ‖ canonical entry). */
export const extendDigest = ({ from, count, hash }: RollingDigest, canonical: string): RollingDigest =>
  ({ from, count: count + 1, hash: createHash('sha256').update(Buffer.from(hash, 'hex')).update(canonical, 'utf8').digest('hex') })
