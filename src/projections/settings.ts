// The engine's own numbers and what it tells the outside: logging, alarms, measurements.
import type { ProjectionAlarm } from '../queries.ts'

/** pino fits. */
export interface EngineLogger {
  info (fields: object, message: string): void
  warn (fields: object, message: string): void
  error (fields: object, message: string): void
}

export interface EngineHooks {
  logger: EngineLogger
  /** A projector stopped: for the alarm counter. It is logged already. */
  onAlarm?: (alarm: ProjectionAlarm) => void
  /** A batch was committed: for histograms. */
  onBatch?: (batch: { projection: string, events: number, ms: number }) => void
}

/** Times in ms. */
export interface EngineSettings {
  /** Events of one transaction at the most: large enough for the rate, small enough for memory and locks. */
  batch: number
  /**
   * How long events that follow closely on the batch before are gathered, so that a busy log does not cost a transaction an
   * event in each read model; longer where they change no row, and only the checkpoint moves. After a pause, and while
   * somebody waits for a position, nothing is held back.
   */
  gather: { rows: number, checkpoint: number }
  /** Events kept for one projector that is slower than the log. */
  buffer: number
  /** How long the checkpoint must stand still, with events waiting, before one who stands by takes over. */
  takeover: number
  /** How often one who stands by looks at the checkpoint. */
  standby: number
  /** How often the registry is looked at for rebuilds and verifications asked for elsewhere. */
  scan: number
  /** First and longest pause after Postgres or the log was away. */
  backoff: { first: number, longest: number }
}

export const defaults: EngineSettings = {
  batch: 1000, gather: { rows: 5, checkpoint: 25 }, buffer: 4000, takeover: 1000, standby: 200, scan: 1000, backoff: { first: 50, longest: 2000 }
}

/** Pauses that double up to the longest; `reset` after a success. */
export const createBackoff = ({ first, longest }: EngineSettings['backoff']) => {
  let next = first
  return {
    next: (): number => {
      const pause = next
      next = Math.min(next * 2, longest)
      return pause
    },
    reset: (): void => { next = first }
  }
}
