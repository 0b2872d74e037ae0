// What may go wrong with a consumer, told from outside: for demonstrations and tests.

export interface Faults {
  /** So many pushes are answered 503, and nothing is taken. */
  refuse: number
  /** So many pushes are taken, and never answered. */
  silent: number
  /** So many pushes are never answered, and taken `late_ms` later. */
  late: number
  late_ms: number
  /** So many pushes are answered as if they were taken; it goes on with what it had. */
  ignore: number
  /** Every answer waits so long. */
  slow_ms: number
  /** Nobody listens at its port. */
  away: boolean
  /** The healthcheck answers 503. */
  unhealthy: boolean
  /** The healthcheck says that all is well, and proves nothing. */
  bare: boolean
}

export const noFaults: Readonly<Faults> = { refuse: 0, silent: 0, late: 0, late_ms: 3_000, ignore: 0, slow_ms: 0, away: false, unhealthy: false, bare: false }

/** Those of `faults` that a request names, with its values. @throws Error for a name or a value that there is not */
export const changed = (faults: Faults, change: unknown): Faults => {
  if (typeof change !== 'object' || change === null) throw new Error('send an object of faults')
  for (const [name, value] of Object.entries(change)) {
    if (!Object.hasOwn(noFaults, name)) throw new Error(`there is no fault ${name}; there are ${Object.keys(noFaults).join(', ')}`)
    const counted = typeof noFaults[name as keyof Faults] === 'number'
    const right = counted ? Number.isInteger(value) && (value as number) >= 0 : typeof value === 'boolean'
    if (!right) throw new Error(`${name} takes ${counted ? 'a number' : 'true or false'}`)
  }
  return { ...faults, ...change }
}

/** What becomes of the next push; counted faults are used up by it. */
export const nextPush = (faults: Faults): 'take' | 'refuse' | 'silent' | 'late' | 'ignore' => {
  for (const kind of ['refuse', 'silent', 'late', 'ignore'] as const) {
    if (faults[kind] === 0) continue
    faults[kind]--
    return kind
  }
  return 'take'
}
