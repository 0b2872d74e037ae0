// Notices that this process was held up (stopped, starved, asleep with its machine), and for how long that may still matter.

/** A time in which nothing ran here, by `performance.now()`. */
export interface Silence { ms: number, endedAt: number }

export interface SilenceWatch {
  /** The silence out of which this process came, as long as it has not been seen to be up to date since. */
  recent (): Silence | undefined
  /** It is up to date, by an answer that was asked for at this time: an older one says nothing about what was slept through. */
  upToDate (askedAt: number): void
  stop (): void
}

/** @param limitMs what is shorter happens to every process now and then */
export const watchSilence = (limitMs: number): SilenceWatch => {
  let beat = performance.now()
  let silence: Silence | undefined
  // Also looked at by whoever asks: after a sleep other callbacks may run before the timer's.
  const look = () => {
    const now = performance.now()
    if (now - beat > limitMs) silence = { ms: Math.round(now - beat), endedAt: now }
    beat = now
  }
  const timer = setInterval(look, limitMs / 4).unref()
  return {
    recent: () => {
      look()
      return silence
    },
    upToDate: (askedAt) => {
      look()
      if (silence !== undefined && askedAt >= silence.endedAt) silence = undefined
    },
    stop: () => { clearInterval(timer) }
  }
}
