// Waits for the outcome of a mail: told at once if this process learns of it, else found in the tester's stream.
import type { Aggregates } from '../../commands/execute.ts'
import { testerAggregate, type TesterMail } from '../../domain/tester/tester.ts'
import { LogUnavailable } from '../../log-errors.ts'
import type { MailWatch } from '../../ports.ts'

/** How often the stream is looked at while nobody tells: another process may run the reactor. */
const LOOK_MS = 250

export interface OpenMailWatch extends MailWatch {
  /** Tells those who wait for this mail to look. */
  settled (mailId: string): void
}

export const createMailWatch = (aggregates: Pick<Aggregates, 'current'>): OpenMailWatch => {
  const waiting = new Map<string, Set<() => void>>()

  /** Resolves when the mail is told of, or after `ms`. Made before the stream is read, so that nothing is missed between. */
  const news = (mailId: string, ms: number): Promise<void> => new Promise((resolve) => {
    const all = waiting.get(mailId) ?? new Set()
    waiting.set(mailId, all)
    const end = (): void => {
      clearTimeout(timer)
      all.delete(end)
      if (all.size === 0) waiting.delete(mailId)
      resolve()
    }
    const timer = setTimeout(end, ms)
    all.add(end)
  })

  /** A log that does not answer just now says nothing of the mail: the wait goes on. */
  const look = async (testerId: string, mailId: string): Promise<TesterMail['status'] | undefined> => {
    try {
      const { state } = await aggregates.current(testerAggregate, testerId)
      return state.status === 'present' ? state.mails.find((mail) => mail.mailId === mailId)?.status : undefined
    } catch (error) {
      if (error instanceof LogUnavailable) return undefined
      throw error
    }
  }

  return {
    settled: (mailId) => { for (const tell of [...waiting.get(mailId) ?? []]) tell() },
    waitForMail: async (testerId, mailId, ms) => {
      const until = performance.now() + ms
      for (;;) {
        const left = until - performance.now()
        const told = news(mailId, Math.max(0, Math.min(LOOK_MS, left)))
        const status = await look(testerId, mailId)
        if (status === 'sent' || status === 'failed') return status
        if (left <= 0) return 'pending'
        await told
      }
    }
  }
}
