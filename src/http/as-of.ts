// The parameter `as_of` of a query: a time, or a position as answers give it out.
import type { AsOf } from '../commands/users/as-of.ts'
import { instantOf } from './times.ts'

/** Reads what the schema `AsOfParameter` let through; nothing stays nothing. Refuses a time that no calendar has. */
export const asOfIn = ({ as_of: text }: { as_of?: string }): AsOf | undefined => {
  if (text === undefined) return undefined
  return /^\d+$/.test(text) ? { position: BigInt(text) } : { time: new Date(instantOf(text)) }
}
