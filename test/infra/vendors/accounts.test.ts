// The file of vendors' accounts: who may read it, what it must hold, where its secrets go, and that no message repeats one.
import { once } from 'node:events'
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { createOutgoing } from '../../../infra/outgoing/index.ts'
import { openAccounts } from '../../../infra/vendors/accounts.ts'
import { httpVendor } from '../../../infra/vendors/http.ts'
import { createVendors } from '../../../infra/vendors/index.ts'
import type { Manifest } from '../../../src/domain/credential/manifest.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { explain, StartError } from '../../../src/start-error.ts'
import { noteCanary } from '../../support/left-behind.ts'
import { httpSettings } from './worlds.ts'

const SECRET = 'vendor-account-canary-8d0fQ2'
noteCanary({ what: 'the secret of a vendor\'s account', text: SECRET, allowed: /accounts\.json$/ })

const fileOf = (t: Test, content: string, mode = 0o600): string => {
  const file = join(t.testdir({}), 'accounts.json')
  writeFileSync(file, content)
  chmodSync(file, mode)
  return file
}

const refused = (open: () => unknown): StartError => {
  try {
    open()
  } catch (error) {
    if (error instanceof StartError) return error
    throw error
  }
  throw new Error('it was not refused')
}

t.test('names and secrets, read anew each time', async (t) => {
  const file = fileOf(t, JSON.stringify({ 'heroku-admin': { secret: SECRET, hosts: ['api.heroku.com', '127.0.0.1:8441'] }, 'app-db': 'postgres://x' }))
  const accounts = openAccounts(file)
  t.same(accounts.names(), ['app-db', 'heroku-admin'])
  t.equal(accounts.account('heroku-admin')?.secret.reveal(), SECRET)
  t.same([...accounts.account('heroku-admin')?.hosts ?? []], ['api.heroku.com', '127.0.0.1:8441'])
  t.equal(accounts.account('app-db')?.hosts, undefined, 'a connection string says itself where it goes')
  t.equal(accounts.account('nobody'), undefined)
  t.equal(accounts.account('constructor'), undefined, 'nothing that every object has')
  t.notMatch(inspect(accounts.account('heroku-admin'), { depth: 9, showHidden: true }), SECRET)

  writeFileSync(file, JSON.stringify({ 'heroku-admin': 'exchanged' }))
  t.equal(accounts.account('heroku-admin')?.secret.reveal(), 'exchanged', 'without a start')
  chmodSync(file, 0o640)
  t.equal(accounts.account('heroku-admin'), undefined, 'once others may read it, it is no longer used')
  chmodSync(file, 0o600)
  writeFileSync(file, '{"heroku-admin"')
  t.equal(accounts.account('heroku-admin'), undefined, 'half written')
  rmSync(file)
  t.same(accounts.names(), [])
})

t.test('without a file there are none', async (t) => {
  const accounts = openAccounts(undefined)
  t.same(accounts.names(), [])
  t.equal(accounts.account('x'), undefined)
})

t.test('what refuses the start, with the way out', async (t) => {
  for (const mode of [0o640, 0o604, 0o660, 0o644, 0o620, 0o601]) {
    const file = fileOf(t, '{}', mode)
    const error = refused(() => openAccounts(file))
    t.match(explain(error), new RegExp(`read by others \\(mode ${mode.toString(8)}\\)[^]*chmod 600`), mode.toString(8))
  }
  t.same(openAccounts(fileOf(t, '{}', 0o400)).names(), [], 'a mode that is stricter is fine')
  const missing = refused(() => openAccounts(join(t.testdir({}), 'nowhere.json')))
  t.match(explain(missing), /cannot be read: ENOENT[^]*leave CHANCERY_VENDOR_ACCOUNTS_FILE out/)
  const contents: Array<[string, RegExp]> = [
    ['', /does not hold accounts/],
    [`{"a":"${SECRET}"`, /does not hold accounts/],
    [`${SECRET}`, /does not hold accounts/],
    [`["${SECRET}"]`, /does not hold accounts/],
    ['null', /does not hold accounts/],
    [`{"${SECRET} ":"x"}`, /entry 1: its name must be/],
    [`{"Admin":"${SECRET}"}`, /entry 1: its name must be/],
    [`{"good":"x","admin":{"token":"${SECRET}"}}`, /entry 2: its secret must be text[^]*entry 2: its hosts must be[^]*entry 2: it has secret and hosts, and nothing else/],
    [`{"admin":{"secret":"${SECRET}"}}`, /entry 1: its hosts must be/],
    [`{"admin":{"secret":"${SECRET}","hosts":[]}}`, /entry 1: its hosts must be/],
    ...['https://a.example', 'A.example', 'a.example:443', 'a.example/path', 'me@a.example', SECRET, ''].map((host): [string, RegExp] => [`{"admin":{"secret":"x","hosts":["a.example","${host}"]}}`, /entry 1: its hosts must be/]),
    ['{"admin":""}', /entry 1: its secret/],
    ['{"admin":4711,"Other":"x"}', /entry 1: its secret[^]*entry 2: its name/]
  ]
  for (const [content, message] of contents) {
    const error = refused(() => openAccounts(fileOf(t, content)))
    t.match(explain(error), message)
    t.match(explain(error), /for example/)
    t.notMatch(inspect(error, { depth: 9 }), SECRET, 'the secret is not repeated')
  }
})

t.test('a connection is sent where it may go, and nowhere else: nothing is sent at all', async (t) => {
  const heard: Array<string | undefined> = []
  const server = createServer(({ url }, response) => { heard.push(url); response.end() }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  t.teardown(async () => {
    await outgoing.close()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const asked: string[] = []
  const vendor = httpVendor({ vendor: httpSettings(url), connection: async (address) => { asked.push(address); return 'elsewhere' }, outgoing })
  const mayMint = (await vendor.verify(new Secret('the-value'), { replace: true }))[0]
  t.match(mayMint, { outcome: 'failed', failure: 'connection_elsewhere' })
  t.match(await vendor.mint({ label: 'a', valueId: 'b' }), { status: 'refused', exchange: { failure: 'connection_elsewhere' } })
  t.match(await vendor.list(), { status: 'failed', exchange: { failure: 'connection_elsewhere' } })
  t.match(await vendor.revoke({ tokenId: '1', value: undefined }), { status: 'refused', exchange: { failure: 'connection_elsewhere' } })
  const away = httpVendor({ vendor: httpSettings(url), connection: async () => { throw new Error('our own log') }, outgoing })
  t.match(await away.verify(new Secret('the-value'), { replace: true }), [{ outcome: 'failed', failure: 'connection_unavailable' }], 'it is there, and could not be opened now')
  const own = { look: async () => undefined, issue: async () => ({ tokenId: '', token: undefined }), revoke: async () => {}, judge: async () => undefined, parse: () => undefined }
  const person = new Clear('a', 'credential-a')
  const manifest: Manifest = { vendor: httpSettings(url), connection: { account: 'known' }, sensitivity: 'high', owner: { name: person, email: person }, leadDays: 1, consumers: [] }
  for (const [hosts, failure] of [[['vendor.example'], 'connection_elsewhere'], [undefined, 'connection_elsewhere'], [[new URL(url).host], undefined]] as const) {
    const account = { secret: new Secret('x'), ...hosts && { hosts: new Set(hosts) } }
    const vendors = createVendors({ outgoing, own, openCredential: async () => undefined, accounts: { account: () => account, names: () => [] }, fingerprint: () => '' })
    t.equal((await vendors.gateway({ credential: 'a', manifest }).verify(new Secret('the-value'), { replace: true }))[0]?.failure, failure)
    t.same(heard, failure === undefined ? ['/account/permissions', '/account'] : [], 'the connection\'s call, and then a made-up value; or nothing')
  }
  const { mayMint: permissions, mint, list, revoke } = httpSettings(url)
  t.same(asked, [permissions.url, mint.call.url, list.call.url, revoke.url], 'asked by what the manifest says')
})
