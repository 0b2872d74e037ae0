// Tends the stream beside the publishing: compares it with the log and trims it, every minute and on request.
import type { LifecycleStream, Verification } from '../lifecycle-stream.ts'
import { timing, type PublisherDeps } from './settings.ts'
import type { Tally } from './status.ts'
import { trim } from './trim.ts'
import { createVerifier } from './verify.ts'

export interface Tending {
  begin (stream: LifecycleStream): void
  verify (): Promise<Verification>
  stop (): Promise<void>
}

/** What the tending asks of the publisher, and tells it. */
export interface Believer {
  /** Every lifecycle event up to there should be in the stream; undefined while that is not known. */
  settledUpTo (): bigint | undefined
  /** Something is missing that it believes to have passed. */
  doubt (): void
}

export const createTending = (deps: PublisherDeps, tally: Tally, believer: Believer, signal: AbortSignal): Tending => {
  const { tendEveryMs } = { ...timing, ...deps.timing }
  let timer: NodeJS.Timeout | undefined
  let working: Promise<void> | undefined
  let verifier: ReturnType<typeof createVerifier> | undefined

  const verify = async (whole: boolean): Promise<Verification> => {
    verifier ??= createVerifier({
      ...deps,
      overdue: () => {
        const upTo = believer.settledUpTo()
        return ({ position }) => upTo !== undefined && position <= upTo
      }
    }, await deps.stream(signal), signal)
    const found = await verifier.verify(whole)
    tally.verified(found)
    if (found.passedOver > 0) believer.doubt()
    const wrong = found.missing + found.extra + found.different + found.outOfOrder
    tally.alarms('verify', wrong === 0
      ? []
      : [{
          reason: 'mismatch',
          message: `The stream ${deps.key} differs from the log: ${found.missing} missing, ${found.extra} extra, ${found.different} different, ${found.outOfOrder} out of order.`,
          hint: 'chancery lifecycle verify shows which. chancery lifecycle epoch publishes the retained window anew.'
        }])
    return found
  }

  const tend = async (stream: LifecycleStream): Promise<void> => {
    try {
      if (tally.status().state !== 'ready') return
      await verify(false)
      await trim(deps, stream, tally)
    } catch (error) {
      // Redis or the log is away: the publisher itself tells of that.
      if (!signal.aborted) deps.log.info({ stream: deps.key, err: error }, 'the stream could not be compared with the log; it is tried again in a minute')
    }
  }

  return {
    begin: (stream) => {
      timer = setInterval(() => { working ??= tend(stream).finally(() => { working = undefined }) }, tendEveryMs).unref()
    },
    verify: () => verify(true),
    stop: async () => {
      clearInterval(timer)
      await working
    }
  }
}
