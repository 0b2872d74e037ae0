// Filters of $all: by prefixes or a regular expression, of the stream's name or the event's type.
import { streamOf, typeOf } from '../storage/record.ts'

export type Filter = (stored: Buffer) => boolean

export interface FilterRequest {
  readonly on: 'stream' | 'type'
  readonly regex: string
  readonly prefixes: readonly string[]
}

/** Throws a SyntaxError if the regular expression is none. A filter with neither prefix nor expression passes nothing. */
export const makeFilter = ({ on, regex, prefixes }: FilterRequest): Filter => {
  const subject = on === 'stream' ? streamOf : typeOf
  if (regex !== '') {
    const expression = new RegExp(regex, 'u')
    return (stored) => expression.test(subject(stored).toString('utf8'))
  }
  const wanted = prefixes.map((prefix) => Buffer.from(prefix, 'utf8'))
  return (stored) => {
    const text = subject(stored)
    return wanted.some((prefix) => text.length >= prefix.length && text.compare(prefix, 0, prefix.length, 0, prefix.length) === 0)
  }
}
