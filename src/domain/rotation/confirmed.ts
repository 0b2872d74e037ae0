// Type to confirm: what cannot be undone is asked for by the credential's name.
import { refuse } from '../codes.ts'

/** Byte for byte: a letter that only looks like the right one is another. Refuses with `confirmation_mismatch`. */
export const confirmed = (name: string, typed: string | undefined): void => {
  if (typed !== name) refuse('confirmation_mismatch', `Type the name of the credential exactly as it is: ${name}.`)
}
