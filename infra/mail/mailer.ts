// What both ways of handing a mail over have in common.
import type { Mailer, MailForgetter } from '../../src/ports.ts'

export interface OpenMailer extends Mailer, MailForgetter { close (): void }
