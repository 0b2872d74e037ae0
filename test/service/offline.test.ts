// Around a service that does not run: recovering a superadmin, failpoints, and what the log may say.
import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { readConfig } from '../../src/config.ts'
import { createLogger } from '../../src/start/logger.ts'
import { recover } from '../../src/offline/recover.ts'
import { launchService, spawnService, testService, type TestService } from '../support/service.ts'
import { until } from '../support/until.ts'

/** How many events of a type the auditor finds; a page that is not there yet counts as none. */
const count = async (service: TestService, type: string): Promise<number> => {
  const { body } = await service.request('GET', `/api/v1/audit/events?type=${type}`)
  return (body['items'] as unknown[] | undefined)?.length ?? 0
}

t.test('with the service stopped, the data folder is enough for a new superadmin token', async (t) => {
  const service = await testService(t)
  const old = service.token()
  await t.rejects(recover(readConfig(service.env)), { name: 'StartError' }, 'not while it runs')
  t.equal(service.token(), old)
  await service.stop()

  const { token, file } = await recover(readConfig(service.env))
  t.equal(file, join(service.dataDir, 'superadmin.token'))
  t.equal(readFileSync(file, 'utf8').trim(), token)
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.not(token, old)

  const again = await testService(t, { beside: service })
  t.match((await again.request('GET', '/api/v1/me')).body, { roles: ['superadmin'] })
  await until(async () => await count(again, 'superadmin.recovered') === 1)
  t.pass('the recovery is a fact')
})

t.test('a start that was cut off between token and fact is completed by the next', async (t) => {
  const first = await launchService(t, { env: { CHANCERY_FAILPOINT: 'append.before:principal.created:kill' } })
  t.equal(await first.exit, 'SIGKILL')
  t.ok(existsSync(join(first.dataDir, 'superadmin.token')), 'the file comes first')
  const second = await launchService(t, { beside: first, env: { CHANCERY_FAILPOINT: 'append.before:superadmin.granted:kill' } })
  t.equal(await second.exit, 'SIGKILL')
  const left = second.token()
  const { CHANCERY_FAILPOINT: _, ...env } = second.env
  const third = await spawnService(t, { beside: { ...second, env } })
  t.equal(third.token(), left, 'the token that somebody may have read already')
  t.match((await third.request('GET', '/api/v1/me')).body, { roles: ['superadmin'] })
  await third.stop()
})

t.test('a failpoint after an append kills when the fact is on disk and nobody was told', async (t) => {
  const service = await spawnService(t, { env: { CHANCERY_FAILPOINT: 'append.after:principal.token_revoked:kill' } })
  const { body: made } = await service.request('POST', '/api/v1/principals', { name: 'x', kind: 'service' })
  const path = `/api/v1/principals/${String(made['principal_id'])}/tokens`
  const { body: issued } = await service.request('POST', path, { label: 'x' })
  const revoke = (by: TestService) => by.request('DELETE', `${path}/${String(issued['token_id'])}`, undefined, { 'idempotency-key': 'revoke-1' })
  await t.rejects(revoke(service))
  t.equal(await service.exit, 'SIGKILL')
  const { CHANCERY_FAILPOINT: _, ...env } = service.env
  const next = await testService(t, { beside: { ...service, env } })
  await until(async () => await count(next, 'principal.token_revoked') === 1)
  t.equal((await revoke(next)).status, 200)
  t.equal(await count(next, 'principal.token_revoked'), 1, 'asked again, it is recorded once')
})

t.test('a terminal sees warnings in short, the file has everything, and errors do not carry their connection along', async (t) => {
  const dataDir = t.testdir()
  let screen = ''
  const terminal = { write: (text: string) => { screen += text; return true } } as unknown as NodeJS.WritableStream
  const logger = createLogger({ dataDir, logLevel: 'info' }, terminal)
  logger.info('quiet')
  const error = Object.assign(new Error('lost', { cause: new Error('deeper') }), { code: '57P01', client: { secretKey: 42 } })
  logger.warn({ err: error }, 'the connection was lost')
  t.match(screen, /^\d\d:\d\d:\d\d warn: the connection was lost: lost\n$/)
  const file = join(dataDir, 'log', 'service.log')
  const lines = readFileSync(file, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>)
  t.match(lines, [{ msg: 'quiet' }, { msg: 'the connection was lost', err: { message: 'lost', code: '57P01', cause: { message: 'deeper' } } }])
  t.notMatch(readFileSync(file, 'utf8'), 'secretKey')
  t.equal(statSync(file).mode & 0o777, 0o600)
})
