// The file of vendors' accounts: who may read it, what it must hold, and that no message repeats a secret of it.
import { chmodSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { openAccounts } from '../../../infra/vendors/accounts.ts'
import { explain, StartError } from '../../../src/start-error.ts'
import { noteCanary } from '../../support/left-behind.ts'

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
