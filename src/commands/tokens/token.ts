// The form of an access token: `chy_<principalId>.<tokenId>_<secret>_<checksum>` (decision 3).
import { createHash, randomBytes, timingSafeEqual } from 'node:crypto'
import { crc32 } from 'node:zlib'

/** The parts of a token that is well formed; whether it is good only the principal's stream can say. */
export interface TokenParts { principalId: string, tokenId: string }

const UUID = '[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}'
/** 43 digits of base 62 hold 256 bits. The checksum covers everything before it. */
const FORM = new RegExp(`^chy_(${UUID})\\.(${UUID})_[0-9A-Za-z]{43}_([0-9A-Za-z]{6})$`)
const DIGITS = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz'

/** Makes a token with 256 random bits. It is shown once; only `digestOf` it is kept. */
export const makeToken = ({ principalId, tokenId }: TokenParts): string => {
  const body = `chy_${principalId}.${tokenId}_${base62(BigInt(`0x${randomBytes(32).toString('hex')}`), 43)}`
  return `${body}_${checksum(body)}`
}

/** Takes a token apart; undefined if it is cut, mistyped or something else, which needs no look-up. */
export const parseToken = (token: string): TokenParts | undefined => {
  const [, principalId, tokenId, sum] = FORM.exec(token) ?? []
  if (principalId === undefined || tokenId === undefined || sum === undefined) return undefined
  return checksum(token.slice(0, -(sum.length + 1))) === sum ? { principalId, tokenId } : undefined
}

/** SHA-256 of the whole token in lower-case hex: 256 random bits need no slow hash. */
export const digestOf = (token: string): string => createHash('sha256').update(token, 'utf8').digest('hex')

/** Compares a token with a digest in constant time. */
export const matches = (token: string, sha256: string): boolean =>
  timingSafeEqual(Buffer.from(digestOf(token), 'hex'), Buffer.from(sha256, 'hex'))

const base62 = (value: bigint, length: number): string => {
  let digits = ''
  for (let rest = value; digits.length < length; rest /= 62n) digits = DIGITS.charAt(Number(rest % 62n)) + digits
  return digits
}

/** CRC-32 in base 62: it tells a typing mistake, it is no protection. */
const checksum = (text: string): string => base62(BigInt(crc32(text)), 6)
