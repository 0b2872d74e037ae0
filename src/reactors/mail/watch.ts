// Waits for the outcome of a mail: told at once if this process learns of it, else found in the tester's stream.
import type { Aggregates } from '../../commands/execute.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
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

  return {
    settled: (mailId) => { for (const tell of [...waiting.get(mailId) ?? []]) tell() },
    waitForMail: async (testerId, mailId, ms) => {
      const until = performance.now() + ms
      for (;;) {
        const left = until - performance.now()
        const told = news(mailId, Math.max(0, Math.min(LOOK_MS, left)))
        const { state } = await aggregates.current(testerAggregate, testerId)
        const status = state.status === 'present' ? state.mails.find((mail) => mail.mailId === mailId)?.status : undefined
        if (status === 'sent' || status === 'failed') return status
        if (left <= 0) return 'pending'
        await told
      }
    }
  }
}
