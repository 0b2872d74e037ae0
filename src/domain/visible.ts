// Whether there is something to be seen in a text: spaces, controls and characters that show nothing are no text.

/** A class of a regular expression with the flag `u`; the braille blank is a symbol that shows nothing. */
export const VISIBLE = '[^\\s\\p{C}\\p{Z}\\p{Default_Ignorable_Code_Point}\\u2800]'

const visible = new RegExp(VISIBLE, 'u')

export const isVisible = (text: string): boolean => visible.test(text)
