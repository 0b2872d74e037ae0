// Values of credentials on a real Postgres: what is stored for good, what is destroyed for good, what survives another
// master key, and that no row ever shows one.
import { randomBytes, randomUUID } from 'node:crypto'
import { inspect } from 'node:util'
import t, { type Test } from 'tap'
import { newKey } from '../../../infra/keys/cipher.ts'
import { masterKey } from '../../../infra/keys/master-key.ts'
import { connectPostgres } from '../../../infra/postgres/index.ts'
import { openCredentialValues, openVault, rotateMasterKey } from '../../../infra/vault/index.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { StartError } from '../../../src/start-error.ts'
import { createScanner, inWords } from '../../support/canary.ts'
import { noteCanary } from '../../support/left-behind.ts'
import { testDatabase } from '../../support/postgres.ts'
import { rowsIn } from '../../support/rows.ts'

const ground = async (t: Test) => {
  const { url } = await testDatabase(t)
  const opened = await connectPostgres({ url })
  t.teardown(() => opened.close())
  const { pool, schemas } = opened
  const master = masterKey(newKey(), 'the test')
  return { url, pool, schema: schemas.vault, master, options: { pool, schema: schemas.vault, masterKey: master } }
}

const canary = (): Secret => {
  const text = `postgres://app:${randomBytes(18).toString('base64url')}@db.internal/app?sslmode="ü"`
  noteCanary({ what: 'the value of a credential', text })
  return new Secret(text)
}

t.test('put, open, destroy', async (t) => {
  const { options, pool, schema, url } = await ground(t)
  const values = await openCredentialValues(options)
  const [valueId, secret] = [randomUUID(), canary()]
  t.equal(await values.open(valueId), undefined, 'never stored')
  await values.put({ valueId, credential: 'app-db', secret })
  t.equal((await values.open(valueId))?.reveal(), secret.reveal())
  t.equal((await (await openCredentialValues(options)).open(valueId))?.reveal(), secret.reveal(), 'committed: another process opens it')

  const stored = async (): Promise<object[]> => (await pool.query<object>(`select encode(sealed, 'hex') as sealed, master, stored_at from "${schema}".credential_value where value_id = $1`, [valueId])).rows
  const before = await stored()
  await Promise.all(Array.from({ length: 5 }, () => values.put({ valueId, credential: 'app-db', secret })))
  t.same(await stored(), before, 'the same again changes nothing')
  const error = await values.put({ valueId, credential: 'app-db', secret: new Secret('another one') }).then(() => undefined, (error: unknown) => error)
  t.match(error, { code: 'conflict' }, 'another value under the same id is not passed over')
  t.notMatch(inspect(error, { depth: 9 }), 'another one')

  const scanner = createScanner([{ what: 'the value', text: secret.reveal() }, { what: 'its password', text: new URL(secret.reveal()).password }])
  const rows = await rowsIn(url)
  t.ok(rows.get('vault.credential_value')?.includes(valueId), 'the rows are really looked at')
  for (const [table, text] of rows) scanner.text(text, table)
  t.equal(inWords(scanner.findings()), '', 'no row shows it')

  await values.destroy(valueId)
  await values.destroy(valueId)
  t.equal(await values.open(valueId), undefined)
  t.same((await pool.query(`select sealed, master, credential from "${schema}".credential_value`)).rows, [{ sealed: null, master: null, credential: 'app-db' }])
  await t.rejects(values.put({ valueId, credential: 'app-db', secret }), { code: 'conflict' }, 'what was destroyed stays so')
  t.equal(await values.open(valueId), undefined)

  const late = randomUUID()
  await values.destroy(late)
  await t.rejects(values.put({ valueId: late, credential: 'app-db', secret }), { code: 'conflict' }, 'a put that comes after the destruction stores nothing')
  await t.rejects(pool.query(`update "${schema}".credential_value set sealed = 'x' where value_id = $1`, [late]), /check/, 'half a mark cannot be written')

  for (const text of ['', 'ü\u0000"\\ \n', 'x'.repeat(100_000)]) {
    const id = randomUUID()
    await values.put({ valueId: id, credential: 'odd', secret: new Secret(text) })
    t.equal((await values.open(id))?.reveal(), text, `${text.length} characters`)
  }
})

t.test('a row opens nowhere but where it was sealed', async (t) => {
  const { options, pool, schema } = await ground(t)
  const values = await openCredentialValues(options)
  const [one, other] = [randomUUID(), randomUUID()]
  await values.put({ valueId: one, credential: 'a', secret: canary() })
  await values.put({ valueId: other, credential: 'b', secret: canary() })
  await pool.query(`update "${schema}".credential_value a set sealed = b.sealed from "${schema}".credential_value b where a.value_id <> b.value_id`)
  await t.rejects(values.open(one), { code: 'key_missing' }, 'exchanged')
  await t.rejects(values.put({ valueId: other, credential: 'b', secret: canary() }), { code: 'key_missing' })
  await pool.query(`update "${schema}".credential_value set sealed = 'x'`)
  await t.rejects(values.open(one), { code: 'key_missing' }, 'cut off')
})

t.test('another master key: values and fingerprints are what they were', async (t) => {
  const { options, pool, schema, master } = await ground(t)
  const [vault, values] = [await openVault(options), await openCredentialValues(options)]
  await vault.seal('ada@example.com', { subject: 'tester-ada', stream: 'tester-ada', eventId: 'e1', field: 'data.email' })
  const kept = Array.from({ length: 3 }, () => ({ valueId: randomUUID(), credential: 'app-db', secret: canary() }))
  for (const value of kept) await values.put(value)
  const gone = randomUUID()
  await values.put({ valueId: gone, credential: 'app-db', secret: canary() })
  await values.destroy(gone)
  const prints = kept.map(({ secret }) => values.fingerprint(secret))
  const sealed = async () => (await pool.query<{ sealed: string | null, master: string | null }>(
    `select encode(sealed, 'hex') as sealed, master from "${schema}".credential_value order by value_id`)).rows
  const before = await sealed()

  const next = masterKey(newKey(), 'next')
  t.equal(await rotateMasterKey({ pool, schema, from: master, to: next }), 6, 'sentinel, root, one person, three values')
  t.equal(await rotateMasterKey({ pool, schema, from: master, to: next }), 0, 'a repeat changes nothing')
  const after = await sealed()
  t.equal(after.filter((row) => row.master === next.id).length, 3)
  t.notOk(after.some((row) => row.sealed !== null && before.some((old) => old.sealed === row.sealed)), 'each is sealed anew')

  await t.rejects(openCredentialValues(options), StartError, 'the old key opens nothing')
  const rotated = await openCredentialValues({ ...options, masterKey: next })
  for (const [index, { valueId, secret }] of kept.entries()) {
    t.equal((await rotated.open(valueId))?.reveal(), secret.reveal())
    t.equal(rotated.fingerprint(secret), prints[index], 'its fingerprint in the log stays true')
  }
  t.equal(await rotated.open(gone), undefined)
  const [first] = kept
  await t.rejects(values.open(first?.valueId ?? ''), { code: 'key_missing', message: /another master key/ }, 'a process from before says what is wrong')
  const unstored = { valueId: randomUUID(), credential: 'app-db', secret: canary() }
  await t.rejects(values.put(unstored), { code: 'key_missing' }, 'and stores nothing that the new master key would not open')
  t.equal(await rotated.open(unstored.valueId), undefined)

  await pool.query(`update "${schema}".credential_value set sealed = 'broken' where value_id = $1`, [first?.valueId])
  await t.rejects(rotateMasterKey({ pool, schema, from: next, to: masterKey(newKey(), 'third') }), /does not open with the old master key/)
  t.equal((await rotated.open(kept[1]?.valueId ?? ''))?.reveal(), kept[1]?.secret.reveal(), 'one that does not open stops all of it, and nothing was changed')
})

t.test('fingerprints', async (t) => {
  const { options } = await ground(t)
  const [values, again] = [await openCredentialValues(options), await openCredentialValues(options)]
  const secret = canary()
  t.match(values.fingerprint(secret), /^[A-Za-z0-9_-]{43}$/)
  t.equal(values.fingerprint(secret), again.fingerprint(new Secret(secret.reveal())))
  t.not(values.fingerprint(secret), values.fingerprint(new Secret(`${secret.reveal()} `)))
  const { options: elsewhere } = await ground(t)
  t.not(values.fingerprint(secret), (await openCredentialValues(elsewhere)).fingerprint(secret), 'another vault, another key')
})

t.test('what this version sealed opens for ever', async (t) => {
  const { options, pool, schema } = await ground(t)
  const old = masterKey(Buffer.alloc(32, 7), 'the past')
  const bytes = (text: string) => Buffer.from(text, 'base64url')
  await pool.query(`insert into "${schema}".secret (name, wrapped, master) values ('sentinel', $1, $3), ('purposes', $2, $3)`, [
    bytes('Tn_zg0fBx1Vez6bl5xBY5nKVJfLPUItSvtID3L4wdwI9yHqjRtKvF4H97gKZRTBPzsLsaG6GR2gkYIU2'),
    bytes('fxqM3X5fOB81obQehltSnvGyW2obtl0zt7mHHCavTq13BPFcnpVVodoFIP3Ie4ZvcAkl5l63w66TOOyK'), old.id
  ])
  const values = await openCredentialValues({ ...options, masterKey: old })
  const valueId = '0197a5c0-0000-7000-8000-000000000001'
  await pool.query(`insert into "${schema}".credential_value (value_id, credential, sealed, master) values ($1, 'past', $2, $3)`,
    [valueId, bytes('SOyOnLvAqqkxYdjETvvKx_hspGZ-pif0tQarktF8p8c_LibOzxqvHmJmHhzW'), old.id])
  t.equal((await values.open(valueId))?.reveal(), 'value of the past')
  t.equal(values.fingerprint(new Secret('value of the past')), 'BC5Nr24pgB2W1zRpdrL8owbP_9Hn3G1BasVx2otfUf8')
})
