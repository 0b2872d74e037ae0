// Whether an append is accepted, refused, or was made before: the rules of the real server, observed in the contract.

/** What an append expects of its stream, as the real server numbers it. */
export const ANY = -2
export const NO_STREAM = -1
export const STREAM_EXISTS = -4

export interface Expectation {
  /** A revision, or one of the constants above. */
  readonly version: number
  /** As it was sent, to be told back in a refusal; 2^64-1 means "no stream" but is told as a number. */
  readonly revision?: bigint
}

export type Verdict =
  | { kind: 'append' }
  | { kind: 'repeat', last: number }
  | { kind: 'wrong-version', current: number }
  | { kind: 'deleted' }

/** What the decision needs to know of the stream, cheap things as values, dear ones on demand. */
export interface Subject {
  readonly last: number
  readonly tombstoned: boolean
  softDeleted (): boolean
  hasMetadata (): boolean
  /** The id of the stream's event with this revision. */
  idAt (revision: number): string | undefined
  /** The revision under which this id was written to this stream lately. */
  recent (id: string): number | undefined
}

export const decide = (subject: Subject, expected: number, ids: readonly string[]): Verdict => {
  if (subject.tombstoned) return { kind: 'deleted' }
  const wrong: Verdict = { kind: 'wrong-version', current: subject.last }
  if (expected === STREAM_EXISTS) {
    if (subject.softDeleted()) return { kind: 'deleted' }
    if (subject.last < 0 && !subject.hasMetadata()) return wrong
  }
  if (expected === ANY || expected === STREAM_EXISTS) return byMemory(subject, ids) ?? wrong
  if (expected > subject.last) return wrong
  if (expected === subject.last) return { kind: 'append' }
  return byContent(subject, expected, ids) ?? wrong
}

/** The first id decides, as far as it is remembered; ids that are known only in part are no repeat. */
const byMemory = (subject: Subject, ids: readonly string[]): Verdict | undefined => {
  let last = -1
  for (const [i, id] of ids.entries()) {
    const revision = subject.recent(id)
    if (revision === undefined) return i === 0 ? { kind: 'append' } : undefined
    last = revision
  }
  return last < 0 ? { kind: 'append' } : { kind: 'repeat', last }
}

/** A repeat has exactly the ids that follow the expected revision. */
const byContent = (subject: Subject, expected: number, ids: readonly string[]): Verdict | undefined => {
  for (const [i, id] of ids.entries()) {
    if (subject.idAt(expected + 1 + i) === id) continue
    return i === 0 && expected === NO_STREAM && subject.softDeleted() ? { kind: 'append' } : undefined
  }
  if (ids.length === 0) return expected === NO_STREAM && subject.softDeleted() ? { kind: 'append' } : undefined
  return { kind: 'repeat', last: expected + ids.length }
}
