// What FreeScout's API says about a conversation (API & Webhooks module, "list conversations").
import { jsonIn } from '../json.ts'

/** `status`: active, pending, closed, spam; `state`: draft, published, deleted. */
export interface Conversation { number: number, status: string, state: string }

/** The number that FreeScout shows behind `#`; undefined if the ticket is not written as one. */
export const numberOf = (ticket: string): number | undefined => {
  const [, digits] = /^#?([1-9]\d{0,9})$/.exec(ticket) ?? []
  return digits === undefined ? undefined : Number(digits)
}

/**
 * The conversation of that number in a list. The number is compared: a FreeScout that does not know the filter lists
 * others.
 */
export const conversationIn = (body: string, number: number): Conversation | 'unreadable' | undefined => {
  const listed = at(at(jsonIn(body), '_embedded'), 'conversations')
  if (!Array.isArray(listed)) return 'unreadable'
  const found: unknown = listed.find((one: unknown) => at(one, 'number') === number)
  return found === undefined ? undefined : { number, status: word(at(found, 'status')), state: word(at(found, 'state') ?? 'published') }
}

/** Someone works on it, or waits for an answer; and it is not in the bin. */
export const isOpen = ({ status, state }: Conversation): boolean => state === 'published' && (status === 'active' || status === 'pending')

const at = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>)[name] : undefined

/** Words of the API only: the answer's text is not ours to repeat. */
const word = (value: unknown): string => typeof value === 'string' && /^[a-z_]{1,20}$/.test(value) ? value : 'unknown'
