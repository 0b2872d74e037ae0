// Handing mails over: to a real SMTP server, with what it may answer, and into the outbox.
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer, type AddressInfo, type Server } from 'node:net'
import { join } from 'node:path'
import PostalMime from 'postal-mime'
import t from 'tap'
import { openMailer } from '../../../infra/mail/index.ts'
import { testSmtpServer } from '../../support/smtp.ts'

const from = 'Chancery <no-reply@chancery.example>'
const mail = {
  messageId: '<018f5b7e-8f3a-7cc1-9d3c-8d6a4f0b1c2d@localhost>', to: 'person@example.com', subject: 'A fresh link', text: 'Open this link:\n\nhttp://localhost:8420/enrol#a.b.c\n'
}

t.test('over SMTP', async (t) => {
  const server = await testSmtpServer(t)
  const mailer = openMailer({ smtpUrl: server.url, outbox: '/nowhere', from })
  t.teardown(() => { mailer.close() })
  t.same(await mailer.send(mail), { status: 'sent', replyCode: 250 })
  const [received] = server.received
  t.match(await PostalMime.parse(received?.raw ?? ''), {
    messageId: mail.messageId, from: { name: 'Chancery', address: 'no-reply@chancery.example' }, to: [{ address: mail.to }], subject: mail.subject, text: mail.text
  })
  t.equal(received?.recipient, mail.to)

  for (const [code, final] of [[450, false], [451, false], [550, true], [552, true]] as const) {
    server.answers.push({ at: 'recipient', code })
    t.same(await mailer.send(mail), { status: 'failed', final, replyCode: code }, `${code} to the recipient`)
    server.answers.push({ at: 'message', code })
    t.same(await mailer.send(mail), { status: 'failed', final, replyCode: code }, `${code} to the message`)
  }
  server.answers.push({ at: 'greeting', code: 554 })
  t.match(await mailer.send(mail), { status: 'failed', final: false }, 'a server that takes nothing now may take it later')
  const to = 'person@example.com\r\nBcc: other@example.com'
  await mailer.send({ ...mail, to }).catch(() => {})
  t.ok(server.received.every(({ recipient }) => recipient === mail.to), 'nobody else is written to, whatever the address holds')
  await server.stop()
  t.same(await mailer.send(mail), { status: 'failed', final: false }, 'nobody there')
})

t.test('a server that breaks the connection off', async (t) => {
  const server: Server = createServer((socket) => { socket.on('error', () => {}).write('220 here\r\n', () => { socket.destroy() }) })
  await new Promise<void>((resolve) => { server.listen(0, '127.0.0.1', resolve) })
  t.teardown(() => new Promise((resolve) => { server.close(resolve) }))
  const mailer = openMailer({ smtpUrl: `smtp://127.0.0.1:${(server.address() as AddressInfo).port}`, outbox: '/nowhere', from })
  t.match(await mailer.send(mail), { status: 'failed', final: false })
})

t.test('into the outbox', async (t) => {
  const folder = join(t.testdir({ file: 'not a folder' }), 'outbox')
  const mailer = openMailer({ smtpUrl: undefined, outbox: folder, from })
  const where = join(folder, '018f5b7e-8f3a-7cc1-9d3c-8d6a4f0b1c2d.eml')
  t.same(await mailer.send(mail), { status: 'sent', where })
  t.match(await PostalMime.parse(readFileSync(where)), { messageId: mail.messageId, to: [{ address: mail.to }], subject: mail.subject, text: mail.text })
  const long = `${mail.text}${'x'.repeat(120)}\n`
  await mailer.send({ ...mail, text: long })
  t.equal((await PostalMime.parse(readFileSync(where))).text, long)
  t.ok(readFileSync(where, 'utf8').includes('x'.repeat(120)), 'a long link stands in one piece, for whoever opens the file')
  t.equal(statSync(where).mode & 0o777, 0o600, 'for its owner only')
  t.equal(statSync(folder).mode & 0o777, 0o700)
  await mailer.send(mail)
  t.same(readdirSync(folder), ['018f5b7e-8f3a-7cc1-9d3c-8d6a4f0b1c2d.eml'], 'sent twice, there once')
  await t.rejects(mailer.send({ ...mail, messageId: '<../../escape@localhost>' }), /Message-ID/)

  const blocked = join(t.testdir(), 'outbox')
  writeFileSync(blocked, 'a file in the way')
  t.same(await openMailer({ smtpUrl: undefined, outbox: blocked, from }).send(mail), { status: 'failed', final: false })
})
