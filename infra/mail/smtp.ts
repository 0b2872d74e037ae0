// Mail over SMTP. What a server says in words may repeat the address, so only its reply code leaves this file.
import nodemailer from 'nodemailer'
import type { MailOutcome } from '../../src/ports.ts'
import type { OpenMailer } from './mailer.ts'

/** How long each part of a hand-over may take, in ms: a server that hangs must not hold the mails behind it. */
const LIMITS = { connectionTimeout: 10_000, greetingTimeout: 10_000, socketTimeout: 20_000, dnsTimeout: 5_000 }

/** Servers on this machine; to any other the mail goes encrypted or not at all, since its link opens an account. */
const LOOPBACK = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/

export const openSmtp = ({ url, from }: { url: string, from: string }): OpenMailer => {
  const requireTLS = !LOOPBACK.test(new URL(url).hostname)
  const transport = nodemailer.createTransport({ url, ...LIMITS, requireTLS, disableFileAccess: true, disableUrlAccess: true }, { from })
  return {
    send: async ({ messageId, to, subject, text }) => {
      try {
        const { response } = await transport.sendMail({ messageId, to: { name: '', address: to }, subject, text }) as { response: string }
        return { status: 'sent', ...replyCode(Number.parseInt(response, 10)) }
      } catch (error) {
        return failure(error)
      }
    },
    forget: async () => {},
    close: () => { transport.close() }
  }
}

/** A 5xx reply to the envelope or the message is the server's last word on this mail; everything else may pass. */
const failure = (error: unknown): MailOutcome => {
  const { responseCode, code } = error as { responseCode?: number, code?: string }
  const final = (code === 'EENVELOPE' || code === 'EMESSAGE') && responseCode !== undefined && responseCode >= 500
  return { status: 'failed', final, ...replyCode(responseCode) }
}

const replyCode = (code: number | undefined): { replyCode?: number } =>
  code !== undefined && code >= 100 && code <= 999 ? { replyCode: code } : {}
