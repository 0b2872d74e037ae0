// The walkthrough token on the wire, `<tester>.<token>.<secret>`, and the link around it. Nothing of it is stored:
// the secret derives from the token's id (decision 3).
import { timingSafeEqual } from 'node:crypto'
import { unknownLink } from '../../domain/user/enrolment-link.ts'
import type { Ids, Keys } from '../../ports.ts'

/** What a token names. */
export interface Link {
  testerId: string
  tokenId: string
  /** Fixed when the token was minted (decision 18). */
  userId: string
}

type LinkKeys = Pick<Keys, 'linkSecret'>

/** The token of a link: two ids and the secret, each in base64url. */
export const tokenText = (keys: LinkKeys, testerId: string, tokenId: string): string =>
  `${short(testerId)}.${short(tokenId)}.${keys.linkSecret(tokenId)}`

/** The link as a mail carries it: the token stands behind the `#`, so it reaches no server and no log by itself (decision 24). */
export const linkOf = (publicUrl: string, token: string): string => `${new URL('/enrol', publicUrl).href}#${token}`

/**
 * Reads a token. Every token that we did not make is refused the same way, after the same work, and before any
 * stream is read.
 * @throws Refusal `link_not_found`
 */
export const readToken = (deps: { keys: LinkKeys, ids: Ids }, text: string): Link => {
  const [first = '', second = '', secret = '', ...more] = text.split('.')
  const testerId = long(first)
  const tokenId = long(second)
  const expected = Buffer.from(deps.keys.linkSecret(tokenId ?? NIL))
  const given = Buffer.alloc(expected.length)
  given.write(secret)
  const equal = timingSafeEqual(expected, given) && secret.length === expected.length
  if (!equal || testerId === undefined || tokenId === undefined || more.length > 0) return unknownLink()
  return { testerId, tokenId, userId: deps.ids.derive('user', tokenId) }
}

const NIL = '00000000-0000-0000-0000-000000000000'

const short = (id: string): string => Buffer.from(id.replaceAll('-', ''), 'hex').toString('base64url')

/** The id, if the text is its one short form. */
const long = (text: string): string | undefined => {
  const bytes = Buffer.from(text, 'base64url')
  if (bytes.length !== 16 || bytes.toString('base64url') !== text) return undefined
  return bytes.toString('hex').replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5')
}
