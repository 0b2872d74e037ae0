// The whole service, killed between two facts: a mail is sent again as the same mail, an answer to a challenge goes on.
import PostalMime from 'postal-mime'
import t from 'tap'
import { createAuthenticator, type CreationOptions } from '../../src/cli/demo/authenticator.ts'
import { spawnService, type SpawnedService } from '../support/service.ts'
import { testSmtpServer } from '../support/smtp.ts'
import { until } from '../support/until.ts'

const enrol = (service: SpawnedService, step: string, body: object, headers: Record<string, string> = {}) =>
  service.request('POST', `/api/v1/enrolment/${step}`, body, { authorization: '', ...headers })

t.test('killed after the mail was handed over, and after a challenge was used up', async (t) => {
  const smtp = await testSmtpServer(t)
  const env = { CHANCERY_SMTP_URL: smtp.url }
  const first = await spawnService(t, { env: { ...env, CHANCERY_FAILPOINT: 'append.before:mail.sent:kill' } })
  const invited = await first.request('POST', '/api/v1/console/beta/testers', { email: 'canary.person@example.com' })
  t.equal(invited.status, 201)
  t.equal(await first.exit, 'SIGKILL')
  t.equal(smtp.received.length, 1)

  const second = await spawnService(t, { beside: first, env: { CHANCERY_FAILPOINT: 'append.after:user.enrolment.challenge_used:kill' } })
  await until(() => smtp.received.length === 2, 60_000)
  const mails = await Promise.all(smtp.received.map(({ raw }) => PostalMime.parse(raw)))
  t.equal(mails[0]?.messageId, mails[1]?.messageId, 'sent again under the same Message-ID')
  t.equal(mails[0]?.text, mails[1]?.text)
  await until(async () => (await second.request('GET', `/api/v1/console/beta/testers/${String(invited.body['tester_id'])}`)).body['mail'] === 'sent', 60_000)

  const token = /\/enrol#(\S+)/.exec(mails[1]?.text ?? '')?.[1] ?? ''
  t.equal((await enrol(second, 'open', { token })).status, 200)
  const options = await enrol(second, 'options', { token })
  t.equal(options.status, 200)
  const response = createAuthenticator().register(options.body['public_key'] as CreationOptions, 'http://localhost:8420')
  const key = { 'idempotency-key': 'the-same-request' }
  await t.rejects(enrol(second, 'verify', { token, response }, key), 'no answer')
  t.equal(await second.exit, 'SIGKILL')

  const third = await spawnService(t, { beside: first, env: { CHANCERY_FAILPOINT: '' } })
  t.match(await enrol(third, 'verify', { token, response }), { status: 422, body: { code: 'ceremony_failed' } }, 'the challenge is used up')
  t.match(await enrol(third, 'verify', { token, response }, key), { status: 200, body: { user_id: options.body['user_id'] } }, 'for all but the request that used it')
  t.equal(smtp.received.length, 2, 'no third mail')
  for (const service of [first, second, third]) t.notMatch(service.output() + service.complaints(), /canary/)
})
