// How the log fails, as the rest of the program sees it.

/** The stream is not at the expected revision: the race was lost. */
export class WrongExpectedRevision extends Error {
  readonly stream: string
  readonly actual: bigint | 'no_stream'

  constructor (stream: string, actual: bigint | 'no_stream') {
    super(`${stream} is at ${actual}`)
    this.name = 'WrongExpectedRevision'
    this.stream = stream
    this.actual = actual
  }
}

/** The store was not reached or refused: certainly nothing was appended. The door says `audit_unavailable`. */
export class LogUnavailable extends Error {
  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LogUnavailable'
  }
}

/** The store may or may not have appended, also after the unchanged repeat. The door says `outcome_unknown`. */
export class LogOutcomeUnknown extends Error {
  constructor (message: string, options?: ErrorOptions) {
    super(message, options)
    this.name = 'LogOutcomeUnknown'
  }
}

/** An event in one of our streams that no schema of the catalogue fits. Its projector stops; the message holds no data. */
export class UnreadableEvent extends Error {
  readonly stream: string
  readonly revision: bigint
  readonly position: bigint
  readonly eventType: string

  constructor (at: { stream: string, revision: bigint, position: bigint, type: string }, why: string) {
    super(`event ${at.stream}@${at.revision} (${at.type}, position ${at.position}) cannot be read: ${why}`)
    this.name = 'UnreadableEvent'
    this.stream = at.stream
    this.revision = at.revision
    this.position = at.position
    this.eventType = at.type
  }
}

/** The log is not the one that was read before: an event known by position and id is gone, or its end lies behind us (decision 12). */
export class LogForked extends Error {
  readonly position: bigint

  constructor (position: bigint, why: string) {
    super(`the log does not continue what was read up to position ${position}: ${why}`)
    this.name = 'LogForked'
    this.position = position
  }
}
