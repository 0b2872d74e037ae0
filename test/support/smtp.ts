// An SMTP server for tests: keeps what it received, and answers as it is told.
import type { AddressInfo } from 'node:net'
import { SMTPServer } from 'smtp-server'
import type { Test } from 'tap'

export interface ReceivedMail { recipient: string, raw: string }

/** What it answers once, instead of accepting. */
export interface Answer { at: 'greeting' | 'recipient' | 'message', code: number }

export const testSmtpServer = async (t: Pick<Test, 'teardown'>) => {
  const received: ReceivedMail[] = []
  const answers: Answer[] = []
  const refusal = (at: Answer['at']): Error | null => {
    if (answers[0]?.at !== at) return null
    const { code } = answers.shift() as Answer
    // What servers say in words often repeats the address.
    return Object.assign(new Error('<person@example.com> not now'), { responseCode: code })
  }
  const server = new SMTPServer({
    authOptional: true,
    disabledCommands: ['STARTTLS'],
    closeTimeout: 100,
    onConnect: (_session, done) => { done(refusal('greeting')) },
    onRcptTo: (_address, _session, done) => { done(refusal('recipient')) },
    onData: (stream, session, done) => {
      let raw = ''
      stream.on('data', (chunk: Buffer) => { raw += chunk.toString() })
      stream.on('end', () => {
        const error = refusal('message')
        if (error === null) received.push({ raw, recipient: session.envelope.rcptTo.map(({ address }) => address).join(',') })
        done(error)
      })
    }
  })
  server.on('error', () => {})
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  const { port } = server.server.address() as AddressInfo
  let stopped: Promise<void> | undefined
  const stop = () => {
    stopped ??= new Promise<void>((resolve) => { server.close(() => { resolve() }) })
    return stopped
  }
  t.teardown(stop)
  return { url: `smtp://127.0.0.1:${port}`, received, answers, stop }
}
