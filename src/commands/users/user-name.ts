// The user-name rule: when two spellings are one name, and what a name may hold. Fixed with the first name that was hashed.
import { refuse } from '../../domain/codes.ts'
import { isVisible } from '../../domain/visible.ts'
import type { Keys } from '../../ports.ts'

/** Version of the rule; it stands in every hash, so that another rule could live beside this one. */
export const USER_NAME_RULE = 1

/** 3 to 32 letters, digits, `_`, `-` and `.`, beginning with a letter or digit; marks belong to the letter before them. */
const NAME = /^[\p{L}\p{Nd}](?:[\p{L}\p{Nd}_.-]|(?<=[\p{L}\p{M}])\p{M}){2,31}$/u

/** The Greek iota subscript: a mark in lower case and a letter in upper case, so no folding of it is sure to be one. */
const IOTA_SUBSCRIPT = '\u0345'

export interface UserName {
  /** As it is shown: trimmed and composed. */
  text: string
  /** Keyed hash of rule version and folded form: the id of its reservation. */
  hash: string
}

/** The form in which names are compared: NFC, trimmed, case folded; undefined if it is no user name. */
export const foldUserName = (text: string): string | undefined => {
  const composed = text.normalize('NFC').trim()
  // There and back: lower case for ẞ, upper for ß and ss and for the two small sigmas, and lower again to compare.
  if (!NAME.test(composed) || composed.normalize('NFD').includes(IOTA_SUBSCRIPT)) return undefined
  return composed.toLowerCase().toUpperCase().toLowerCase().normalize('NFC')
}

/** Reads a user name, or gives back undefined if it is none. */
export const readUserName = (keys: Pick<Keys, 'userNameHash'>, text: string): UserName | undefined => {
  const folded = foldUserName(text)
  return folded === undefined ? undefined : { text: text.normalize('NFC').trim(), hash: keys.userNameHash(`${USER_NAME_RULE}:${folded}`) }
}

/** Reads a user name of a request. Refuses with `invalid_request`. */
export const requireUserName = (keys: Pick<Keys, 'userNameHash'>, text: string): UserName => readUserName(keys, text) ??
  refuse('invalid_request', 'A user name has 3 to 32 letters, digits, _, - or . and begins with a letter or digit.')

/** Line breaks, controls, and what turns the direction of the text around it. */
const UNSHOWABLE = /[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\u202A-\u202E\u2066-\u2069]/u
const MAX_DISPLAY_NAME = 64

/** Reads a display name of a request: trimmed, composed, 1 to 64 characters, of which at least one can be seen. Refuses with `invalid_request`. */
export const requireDisplayName = (text: string): string => {
  const composed = text.normalize('NFC').trim()
  const length = [...composed].length
  return isVisible(composed) && length <= MAX_DISPLAY_NAME && !UNSHOWABLE.test(composed)
    ? composed
    : refuse('invalid_request', 'A display name has 1 to 64 characters, something to be seen among them, and no line breaks or controls; null removes it.')
}
