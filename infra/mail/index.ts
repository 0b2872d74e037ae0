// Hands mails over: to an SMTP server if there is one, else into files of an outbox folder.
import type { OpenMailer } from './mailer.ts'
import { openOutbox } from './outbox.ts'
import { openSmtp } from './smtp.ts'

export interface MailSettings {
  /** `smtp://` or `smtps://`, with user and password if it needs them; undefined: the outbox. */
  smtpUrl: string | undefined
  /** Folder of the `.eml` files. */
  outbox: string
  /** Sender, as `Name <address>`. */
  from: string
}

export const openMailer = ({ smtpUrl, outbox, from }: MailSettings): OpenMailer =>
  smtpUrl === undefined ? openOutbox({ folder: outbox, from }) : openSmtp({ url: smtpUrl, from })
