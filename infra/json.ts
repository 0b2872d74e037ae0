// Reads JSON that somebody else wrote, where it may be none; what JSON.parse says of it repeats the text, and with it perhaps a secret.

/** Undefined for what is no JSON. */
export const jsonIn = (text: string | undefined): unknown => {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}
