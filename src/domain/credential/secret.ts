// A credential's value in memory: it shows itself to nobody by accident.

/**
 * The value of a credential, or of what mints it. It is stored in the vault only, and never becomes part of an event,
 * a log line, a trace or an error: JSON, templates and inspection get a placeholder.
 */
export class Secret {
  readonly #text: string

  constructor (text: string) { this.#text = text }

  /** The text itself; called by whoever talks to a vendor, seals a delivery, or checks a proof. */
  reveal (): string { return this.#text }

  toJSON (): string { return '[secret]' }
  toString (): string { return '[secret]' }
  [Symbol.for('nodejs.util.inspect.custom')] (): string { return '[secret]' }
}
