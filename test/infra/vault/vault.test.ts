// The vault on a real Postgres: what opens, what is refused, what reads as erased, and what survives a rotation.
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { openKeys, loadMasterKey } from '../../../infra/keys/index.ts'
import { newKey } from '../../../infra/keys/cipher.ts'
import { masterKey } from '../../../infra/keys/master-key.ts'
import { connectPostgres } from '../../../infra/postgres/index.ts'
import { StartError } from '../../../src/start-error.ts'
import { openVault, rotateMasterKey } from '../../../infra/vault/index.ts'
import { Clear } from '../../../src/domain/personal.ts'
import { testDatabase } from '../../support/postgres.ts'
import { until } from '../../support/until.ts'

const place = (subject: string, field = 'data.email') => ({ subject, stream: subject, eventId: 'e1', field })
const ada = 'tester-ada'
const bob = 'tester-bob'

const postgres = async (t: Test) => {
  const { url } = await testDatabase(t)
  const opened = await connectPostgres({ url })
  t.teardown(() => opened.close())
  const master = masterKey(newKey(), 'the test')
  return { pool: opened.pool, schema: opened.schemas.vault, master, options: { pool: opened.pool, schema: opened.schemas.vault, masterKey: master } }
}

t.test('seals and opens', async (t) => {
  const { options, pool, schema } = await postgres(t)
  const vault = await openVault(options)
  const sealed = await vault.seal('ada@example.com', place(ada))
  t.equal(sealed.at, 'tester-ada/e1/data.email')
  t.notMatch(JSON.stringify(sealed), /ada@/)
  t.match(sealed.value, /^[A-Za-z0-9_-]+$/)
  t.same(await vault.open(sealed, ada), { status: 'open', text: 'ada@example.com' })
  t.not((await vault.seal('ada@example.com', place(ada))).value, sealed.value, 'the same text never looks the same')
  t.same(await vault.open(new Clear('x', ada), ada), { status: 'open', text: 'x' })
  t.same(await (await openVault(options)).open(sealed, ada), { status: 'open', text: 'ada@example.com' }, 'another process opens it too')

  const { rows } = await pool.query<{ wrapped: Buffer }>(`select wrapped from "${schema}".subject_key`)
  t.equal(rows.length, 1, 'the key was stored')

  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => vault.seal(`n${i}`, place('tester-new'))))
  const others = await Promise.all(many.map((one) => vault.open(one, 'tester-new')))
  t.same(others.map((one) => one.status === 'open' && one.text), many.map((_, i) => `n${i}`), 'fifty first uses agree on one key')
})

t.test('an envelope opens nowhere but where it was sealed', async (t) => {
  const { options } = await postgres(t)
  const vault = await openVault(options)
  const adas = await vault.seal('ada@example.com', place(ada))
  const bobs = await vault.seal('bob@example.com', place(bob))
  const other = await vault.seal('Ada', place(ada, 'data.name'))
  await t.rejects(vault.open(adas, bob), { code: 'key_missing' }, "another's row holds it")
  await t.rejects(vault.open({ ...adas, subject: bob }, bob), { code: 'key_missing' }, 'relabelled')
  await t.rejects(vault.open({ ...bobs, at: adas.at }, bob), { code: 'key_missing' }, 'moved to another event')
  await t.rejects(vault.open({ ...adas, value: other.value }, ada), { code: 'key_missing' }, 'moved to another field')
  const bytes = Buffer.from(adas.value, 'base64url')
  for (let i = 0; i < bytes.length; i++) {
    const changed = Buffer.from(bytes)
    changed[i] = (changed[i] ?? 0) ^ 1
    await t.rejects(vault.open({ ...adas, value: changed.toString('base64url') }, ada), { code: 'key_missing' }, `byte ${i} changed`)
  }
  await t.rejects(vault.open({ ...adas, value: '' }, ada), { code: 'key_missing' })
})

t.test('keys exchanged in the table open nothing', async (t) => {
  const { options, pool, schema } = await postgres(t)
  const vault = await openVault(options)
  const sealed = await vault.seal('ada@example.com', place(ada))
  await vault.seal('bob@example.com', place(bob))
  await pool.query(`update "${schema}".subject_key a set wrapped = b.wrapped from "${schema}".subject_key b where a.subject <> b.subject`)
  await t.rejects((await openVault(options)).open(sealed, ada), { code: 'key_missing' })
})

t.test('erased is said only where the mark is', async (t) => {
  const { options, pool, schema } = await postgres(t)
  const vault = await openVault(options)
  const adas = await vault.seal('ada@example.com', place(ada))
  const bobs = await vault.seal('bob@example.com', place(bob))
  await vault.destroy(ada)
  await vault.destroy(ada)
  await vault.destroy('tester-never-seen')
  t.same(await vault.open(adas, ada), { status: 'erased' })
  t.same(await (await openVault(options)).open(adas, ada), { status: 'erased' })
  await t.rejects(vault.seal('ada@example.com', place(ada)), { code: 'conflict' }, 'nothing more is sealed about an erased person')
  await t.rejects(vault.seal('x', place('tester-never-seen')), { code: 'conflict' })
  const { rows } = await pool.query(`select wrapped from "${schema}".subject_key where subject = $1`, [ada])
  t.same(rows, [{ wrapped: null }], 'the key is gone')

  await pool.query(`delete from "${schema}".subject_key where subject = $1`, [bob])
  await t.rejects((await openVault(options)).open(bobs, bob), { code: 'key_missing' }, 'a key that is lost is no erasure')
  await pool.query(`insert into "${schema}".subject_key (subject, wrapped, master) values ($1, $2, 'x')`, [bob, Buffer.alloc(60)])
  await t.rejects((await openVault(options)).open(bobs, bob), { code: 'key_missing' }, 'nor is one that does not open')
  await t.rejects((await openVault(options)).seal('x', place(bob)), { code: 'key_missing' }, 'and it is not replaced')
  await t.rejects(pool.query(`update "${schema}".subject_key set wrapped = null where subject = $1`, [bob]), /check/, 'half a mark cannot be written')
})

t.test('another process that had opened the key does not open it for long, however often it is asked', async (t) => {
  const { options } = await postgres(t)
  const [here, elsewhere] = [await openVault(options), await openVault(options)]
  const adas = await here.seal('ada@example.com', place(ada))
  t.match(await elsewhere.open(adas, ada), { status: 'open' })
  await here.destroy(ada)
  await until(async () => (await elsewhere.open(adas, ada)).status === 'erased', 5_000)
})

t.test('a wrong master key is refused at start', async (t) => {
  const { options, pool, schema } = await postgres(t)
  await t.rejects(openVault({ ...options, isNew: async () => false }), /is empty, but the log holds facts/)
  await t.rejects(openKeys({ ...options, isNew: async () => false }), StartError, 'and nothing was made by that')
  await openVault(options)
  await openVault({ ...options, isNew: async () => t.fail('only an empty vault raises the question') })
  await openKeys(options)
  const wrong = { ...options, masterKey: masterKey(newKey(), '/data/master.key', true) }
  const error = await openVault(wrong).then(() => undefined, (error: unknown) => error)
  t.type(error, StartError)
  t.match(String(error), /master key from \/data\/master\.key.*does not open the vault.*a new one was made/)
  t.notMatch(inspect(error, { depth: 9 }), options.masterKey.key.export().toString('hex'))
  await t.rejects(openKeys(wrong), StartError)
  t.notMatch(inspect(options.masterKey, { depth: 9 }), options.masterKey.key.export().toString('hex'), 'a master key does not show itself')
  await pool.query(`delete from "${schema}".secret where name = 'purposes'`)
  await t.rejects(openKeys(options), /damaged: its purposes is missing/, 'another root would make every address look unknown')
})

t.test('rotation changes neither what is sealed nor what is derived', async (t) => {
  const { options, pool, schema, master } = await postgres(t)
  const vault = await openVault(options)
  const keys = await openKeys(options)
  const derived = () => [keys.addressHash('a@b.c'), keys.linkSecret('t'), keys.fingerprint('POST /x', '{}')]
  const before = derived()
  const sealed = await vault.seal('ada@example.com', place(ada))
  await vault.destroy('tester-gone')
  const next = masterKey(newKey(), 'next')
  t.equal(await rotateMasterKey({ pool, schema, from: master, to: next }), 3, 'sentinel, root and one person')
  t.equal(await rotateMasterKey({ pool, schema, from: master, to: next }), 0, 'a repeat changes nothing')

  await t.rejects(openVault(options), StartError, 'the old key opens nothing')
  const rotated = { ...options, masterKey: next }
  t.same(await (await openVault(rotated)).open(sealed, ada), { status: 'open', text: 'ada@example.com' })
  const again = await openKeys(rotated)
  t.same([again.addressHash('a@b.c'), again.linkSecret('t'), again.fingerprint('POST /x', '{}')], before)

  t.same(await vault.open(sealed, ada), { status: 'open', text: 'ada@example.com' }, 'a process from before reads on')
  await t.rejects(vault.seal('x', place(bob)), { code: 'key_missing' }, 'but stores no key that the new master key would not open')

  await t.rejects(rotateMasterKey({ pool, schema, from: master, to: masterKey(newKey(), 'third') }), /does not open with the old master key/)
  t.same(await (await openVault(rotated)).open(sealed, ada), { status: 'open', text: 'ada@example.com' }, 'a failed rotation changed nothing')
})

t.test('what earlier versions wrote still opens', async (t) => {
  const { options, pool, schema } = await postgres(t)
  const old = masterKey(Buffer.alloc(32, 7), 'the past')
  t.equal(old.id, '918d3732470d3020')
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  await pool.query(`insert into "${schema}".secret (name, wrapped, master) values ('sentinel', $1, $3), ('purposes', $2, $3)`, [
    bytes('Tn_zg0fBx1Vez6bl5xBY5nKVJfLPUItSvtID3L4wdwI9yHqjRtKvF4H97gKZRTBPzsLsaG6GR2gkYIU2'),
    bytes('fxqM3X5fOB81obQehltSnvGyW2obtl0zt7mHHCavTq13BPFcnpVVodoFIP3Ie4ZvcAkl5l63w66TOOyK'), old.id
  ])
  await pool.query(`insert into "${schema}".subject_key (subject, wrapped, master) values ($1, $2, $3)`,
    [ada, bytes('WafeLC-LgCfT2X_A5TiD6nVNOxpXQliYD4MxcbxzHwvhQ1hE9zFX7LaHWXGHM1RicwL4TA99Nc8vvraa'), old.id])
  const vault = await openVault({ ...options, masterKey: old })
  const sealed = { sealed: 'v1' as const, subject: ada, at: `${ada}/e1/data.email`, value: 'bnNACfvsFX_hrZGJ6FTyN9oDKBQ0kgqed_B_zBj79qQPKlVLxiOcYELJNA' }
  t.same(await vault.open(sealed, ada), { status: 'open', text: 'ada@example.com' })
  const keys = await openKeys({ ...options, masterKey: old })
  t.equal(keys.addressHash('ada@example.com'), 'ffe4dbebf2183b1d858015e22080db41d889cc27ec463da46e3e0a8a912433dc')
  t.equal(keys.linkSecret('t1'), 'XA7r3I2AWnBjoEagwbj1lP5tDyWj1mrezp3KgILWu_k')
})

t.test('derivations', async (t) => {
  const { options } = await postgres(t)
  const [keys, other] = await Promise.all([openKeys(options), openKeys(options)])
  t.match(keys.addressHash('ada@example.com'), /^[0-9a-f]{64}$/)
  t.equal(keys.addressHash('ada@example.com'), other.addressHash('ada@example.com'), 'two that start at once agree')
  t.match(keys.linkSecret('t1'), /^[A-Za-z0-9_-]{43}$/)
  t.equal(keys.challenge('c1').length, 32)
  t.not(Buffer.from(keys.challenge('x')).toString('base64url'), keys.linkSecret('x'), 'a key per purpose')
  t.not(keys.fingerprint('POST /a', 'b'), keys.fingerprint('POST /', 'ab'), 'route and body cannot be shifted')
})

t.test('the master key file', async (t) => {
  const file = join(t.testdir({}), 'master.key')
  t.throws(() => loadMasterKey({ file, create: false }), StartError, "somebody else's file must exist")
  const made = loadMasterKey({ file })
  t.equal(made.made, true)
  t.equal(statSync(file).mode & 0o777, 0o600)
  const again = loadMasterKey({ file })
  t.equal(again.made, false)
  t.equal(again.id, made.id)
  t.equal(loadMasterKey({ file, setting: made.key.export().toString('hex') }).id, made.id, 'a setting in hex')
  t.equal(loadMasterKey({ file, setting: made.key.export().toString('base64') }).id, made.id, 'in base64')
  t.not(loadMasterKey({ file, setting: newKey().toString('base64url') }).id, made.id, 'the setting holds over the file')
  chmodSync(file, 0o644)
  t.throws(() => loadMasterKey({ file }), /can be read by others/)
  t.equal(loadMasterKey({ file, create: false }).id, made.id, "a mounted secret's mode is not ours to judge")
  chmodSync(file, 0o600)
  writeFileSync(file, readFileSync(file, 'utf8').slice(0, 20))
  t.throws(() => loadMasterKey({ file }), /does not hold a master key/)
  t.throws(() => loadMasterKey({ file: join(t.testdir({}), 'no', 'folder', 'master.key') }), StartError)
})
