// The times that a rotation goes by: all in ms, all counted from facts, so that a restart changes none of them.

/** What the configuration says of rotations. */
export interface RotationRules {
  /** How old a proof may be when the old value is to be revoked (`CHANCERY_PROOF_MAX_AGE_MINUTES`). */
  proofMaxAgeMs: number
  /** How long a value out of use stays in the vault (`CHANCERY_VALUE_GRACE_HOURS`). */
  valueGraceMs: number
  /** True while no other process can be at work (`CHANCERY_API_PROCESSES=single`, and the lock proves it): what was begun and not ended is ours at once. */
  readonly alone: boolean
}

/** What a process has to know besides, to say what is due. */
export interface DueRules extends RotationRules {
  /** This process's own id: who appended the job's last fact carries it out. */
  holder: string
  /** The longest that one request to the vendor may take. */
  timeLimitMs: number
}

/** The reactor as an actor: its facts tell who holds a job. */
export const SYSTEM = 'rotation'

/** Requests to a consumer end within this time. */
export const CONSUMER_LIMIT_MS = 5_000
export const DELIVERY_TRIES = 5
export const PROBE_TRIES = 3
/** A pull that nobody acknowledged for so long is unreachable. */
export const ACKNOWLEDGE_MS = 60_000
/** So often in a row the old token has to be seen refused. */
export const REFUSALS = 3
export const REFUSAL_PAUSE_MS = 1_000
/** Before a vendor is asked again for what failed and left no fact. */
export const RETRY_MS = 5_000
/** From here on an operator should look. */
export const ALARM_MS = 300_000
const LONGEST_PAUSE_MS = 300_000

/** Pause after the n-th failed try: 1 s, 2, 4, 8, 16 … up to five minutes. */
export const pauseAfter = (tries: number): number => Math.min(LONGEST_PAUSE_MS, 1_000 * 2 ** Math.min(Math.max(tries, 1) - 1, 20))
