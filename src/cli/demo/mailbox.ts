// The tester's mailbox: without an SMTP server the service writes each mail to its outbox folder.
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import PostalMime from 'postal-mime'
import { Failure } from '../failures.ts'

/** Milliseconds until a mail that was asked for must be there. */
const PATIENCE = 5_000

export interface Message { messageId: string, subject: string, link: URL }

export interface Mailbox {
  /** The next mail that came for the address and was not taken before. */
  next (address: string): Promise<Message>
}

export const openMailbox = (dataDir: string): Mailbox => {
  const outbox = join(dataDir, 'outbox')
  const seen = new Set<string>()

  const look = async (address: string): Promise<Message | undefined> => {
    const names = await readdir(outbox).catch(() => [])
    for (const name of names.filter((file) => file.endsWith('.eml') && !seen.has(file))) {
      const mail = await PostalMime.parse(await readFile(join(outbox, name)))
      if (mail.to?.some((to) => to.address?.toLowerCase() === address.toLowerCase()) !== true) continue
      seen.add(name)
      return { messageId: mail.messageId ?? '', subject: mail.subject ?? '', link: linkIn(mail.text ?? '') }
    }
    return undefined
  }

  return {
    next: async (address) => {
      for (const until = Date.now() + PATIENCE; Date.now() < until; await pause(50)) {
        const message = await look(address)
        if (message !== undefined) return message
      }
      throw new Failure('refused', `No mail for ${address} came to ${outbox}. Is that the service's data folder (CHANCERY_DATA_DIR), and is CHANCERY_SMTP_URL unset?`)
    }
  }
}

const linkIn = (text: string): URL => {
  const link = /https?:\/\/\S+#\S+/.exec(text)?.[0]
  if (link === undefined) throw new Failure('refused', 'The mail holds no link.')
  return new URL(link)
}
