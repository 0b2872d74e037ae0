// Several processes on the same servers: split roles, namespaces side by side, and TLS at the door.
import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync } from 'node:fs'
import { request } from 'node:https'
import { join } from 'node:path'
import t from 'tap'
import { testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

const invite = async (service: TestService, email: string) => {
  const { status, body, text } = await service.request('POST', '/api/v1/console/beta/testers', { email })
  return { status, text, id: String(body['tester_id']), mailId: String(body['mail_id']) }
}

t.test('one process answers, another projects, a third sends the mail', async (t) => {
  const api = await testService(t, { env: { CHANCERY_API_PROCESSES: 'many', CHANCERY_ROLES: 'api' } })
  const { status, id, mailId, text } = await invite(api, 'ada@example.com')
  t.equal(status, 201, text)
  const unserved = await api.request('GET', `/api/v1/console/beta/testers/${id}?min_position=1`)
  t.equal(unserved.status, 503, 'nobody projects yet')
  t.equal(unserved.body['code'], 'projection_behind')

  const projector = await testService(t, { beside: api, env: { CHANCERY_ROLES: 'projector' } })
  t.equal((await projector.request('GET', '/api/v1/me')).status, 404, 'no API without the role')
  await until(async () => (await api.request('GET', `/api/v1/console/beta/testers/${id}`)).status === 200)

  await testService(t, { beside: api, env: { CHANCERY_ROLES: 'reactor' } })
  const outbox = () => {
    try {
      return readdirSync(join(api.dataDir, 'outbox'))
    } catch {
      return []
    }
  }
  await until(() => outbox().includes(`${mailId}.eml`))
  await until(async () => (await api.request('GET', '/api/v1/audit/events?type=mail.sent')).text.includes(mailId))
  t.equal((await fetch(`${projector.url}/health/live`)).status, 200)
})

t.test('two namespaces share the servers and nothing else', async (t) => {
  const one = await testService(t, { env: { CHANCERY_NAMESPACE: 'one' } })
  const other = await testService(t, { beside: { ...one, token: () => '' }, env: { CHANCERY_NAMESPACE: 'other', CHANCERY_DATA_DIR: t.testdir() } })
  t.equal((await other.request('GET', '/api/v1/me', undefined, { authorization: `Bearer ${one.token()}` })).status, 401)
  const { id } = await invite(one, 'ada@example.com')
  await until(async () => (await one.request('GET', `/api/v1/console/beta/testers/${id}`)).status === 200)
  await one.stop()
  const again = await testService(t, { beside: one })
  t.equal((await again.request('GET', `/api/v1/console/beta/testers/${id}`)).status, 200)
})

t.test('TLS by setting', { skip: spawnSync('openssl', ['version']).status === 0 ? false : 'needs openssl to make a certificate' }, async (t) => {
  const folder = t.testdir()
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')]
  execFileSync('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '1', '-subj', '/CN=localhost', '-keyout', key, '-out', cert],
    { stdio: 'ignore' })
  const service = await testService(t, { env: { CHANCERY_TLS_CERT: cert, CHANCERY_TLS_KEY: key } })
  t.match(service.url, /^https:/)
  const status = await new Promise((resolve, reject) => {
    request(`${service.url}/health/live`, { rejectUnauthorized: false }, (response) => {
      response.resume()
      resolve(response.statusCode)
    }).on('error', reject).end()
  })
  t.equal(status, 200)
  await t.rejects(testService(t, { env: { CHANCERY_TLS_CERT: join(folder, 'absent.pem'), CHANCERY_TLS_KEY: key } }), { name: 'StartError', message: /CHANCERY_TLS_CERT/ })
})
