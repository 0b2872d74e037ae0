// Personal data on its way into the log: clear in a decision, a sealed envelope once recorded.
import { Type } from '@sinclair/typebox'

/**
 * A person's e-mail, name, IP, user agent or free text before it is sealed.
 * It shows itself to nobody by accident: JSON, templates and inspection get a placeholder.
 */
export class Clear {
  readonly #text: string
  /** Whom it is about, so whose key seals it: `tester-…`, `user-…`, `principal-…`. */
  readonly subject: string

  constructor (text: string, subject: string) {
    this.#text = text
    this.subject = subject
  }

  /** The text itself; called by the sealer and by whoever composes a mail. */
  reveal (): string { return this.#text }

  toJSON (): string { return '[personal]' }
  toString (): string { return '[personal]' }
  [Symbol.for('nodejs.util.inspect.custom')] (): string { return '[personal]' }
}

/** An envelope as events and rows hold it, byte for byte (decision 13). */
export interface Sealed {
  /** Format of the envelope. */
  sealed: 'v1'
  /** Whose key opens it: `tester-…`, `user-…`, `principal-…`. */
  subject: string
  /** Additional data: `<stream>/<event id>/<field>`. */
  at: string
  /** base64url of nonce (12) ‖ ciphertext ‖ tag (16), AES-256-GCM. */
  value: string
}

/** What a decision writes (`Clear`) and what every reader finds (`Sealed`). */
export type Personal = Clear | Sealed

/** Schema of a personal field in an event: the recorded form. */
export const PersonalField = () => Type.Unsafe<Personal>(Type.Object({
  sealed: Type.Literal('v1'),
  subject: Type.String({ maxLength: 128 }),
  at: Type.String({ maxLength: 512 }),
  value: Type.String({ maxLength: 16384, pattern: '^[A-Za-z0-9_-]+$' })
}, { additionalProperties: false, personal: true }))
