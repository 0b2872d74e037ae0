// The credentials kit against what Chancery sends: signature, seal, order, restarts, proof, and pulling from a real Redis.
import { execFileSync } from 'node:child_process'
import { createHmac, randomBytes } from 'node:crypto'
import { chmodSync, mkdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { Webhook } from 'standardwebhooks'
import t, { type Test } from 'tap'
import { createDeliveries } from '../../infra/deliveries/index.ts'
import { signedHeaders } from '../../infra/deliveries/webhook.ts'
import { createOutgoing } from '../../infra/outgoing/index.ts'
import {
  createCredentialConsumer, createCredentialsService, DeliveryProblem, fileStore, loadOrMakeKey, memoryStore, openDelivery, possessionProof, verifyWebhook,
  type CredentialConsumerOptions, type Trouble
} from '../../kits/credentials/src/index.ts'
import { followRedis } from '../../kits/credentials/src/redis.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import { consumersDoor } from '../support/consumers-door.ts'
import { testRedis } from '../support/redis.ts'
import { until } from '../support/until.ts'

const seed = Number(process.env['FC_SEED'] ?? Math.floor(Math.random() * 2 ** 31))
t.comment(`FC_SEED=${seed}`)
const CREDENTIAL = 'mail-api'
const keys = { webhookSecret: (place: string) => createHmac('sha256', 'test').update(place).digest() }

/** The real adapter, and a door behind which nothing is. */
const world = async (t: Test, redis: { url: () => string | undefined, stream: string } = { url: () => undefined, stream: 'none' }) => {
  const outgoing = createOutgoing({ allow: [], plainLoopback: true })
  const deliveries = createDeliveries({ outgoing, keys, clock: { now: () => new Date() }, redis })
  t.teardown(async () => {
    deliveries.close()
    await outgoing.close()
  })
  const door = await consumersDoor(t, { deliveries, pushUrl: (name) => `https://${name}.example` })
  const key = await loadOrMakeKey(join(t.testdir(), 'key.json'))
  const troubles: Trouble[] = []
  const used: string[] = []
  const consumer = (options: Partial<CredentialConsumerOptions> = {}) => {
    const made = createCredentialConsumer({
      name: 'billing', credentials: [CREDENTIAL], key, service: createCredentialsService({ url: door.url, token: door.token, consumer: 'billing' }),
      use: ({ value }) => { used.push(value) }, onTrouble: (trouble) => { troubles.push(trouble) }, ...options
    })
    t.teardown(() => made.stop())
    return made
  }
  const content = (deliverySeq: number, value = `value ${deliverySeq}`) => ({ credential: CREDENTIAL, value: new Secret(value), valueId: `id of ${value}`, deliverySeq })
  const push = async (deliverySeq: number, value?: string) => {
    const jwe = await deliveries.seal(content(deliverySeq, value), { keyId: key.keyId, key: key.publicJwk })
    const body = JSON.stringify({ type: 'credential.rotation', timestamp: new Date().toISOString(), data: { credential: CREDENTIAL, rotation_id: 'r', delivery_seq: deliverySeq, jwe } })
    const secret = deliveries.webhookSecret({ consumer: 'billing', credential: CREDENTIAL, url: 'https://billing.example' })
    return { body, headers: signedHeaders({ id: `r-billing-${deliverySeq}`, at: new Date(), body, secret }) }
  }
  return { deliveries, door, key, consumer, content, push, troubles, used }
}

t.test('signatures are those of Standard Webhooks', async (t) => {
  const secret = `whsec_${randomBytes(32).toString('base64')}`
  const oracle = new Webhook(secret)
  const now = new Date()
  const body = JSON.stringify({ type: 'credential.rotation', text: 'größer als ☃' })
  const ours = signedHeaders({ id: 'msg_1', at: now, body, secret: new Secret(secret) })
  t.same(oracle.verify(body, ours), JSON.parse(body), 'the library takes ours')
  const theirs = { 'webhook-id': 'msg_2', 'webhook-timestamp': String(Math.floor(now.getTime() / 1000)), 'webhook-signature': oracle.sign('msg_2', now, body) }
  t.ok(verifyWebhook({ headers: theirs, body, secret }), 'the kit takes theirs')
  t.ok(verifyWebhook({ headers: { ...theirs, 'webhook-signature': `v1a,xxxx v1,AAAA ${theirs['webhook-signature']}` }, body: Buffer.from(body), secret }), 'among several')
  const later = (ms: number) => new Date(now.getTime() + ms)
  const refused: Array<[string, Parameters<typeof verifyWebhook>[0]]> = [
    ['another body', { headers: theirs, body: body.replace('☃', '☂'), secret }],
    ['another id', { headers: { ...theirs, 'webhook-id': 'msg_3' }, body, secret }],
    ['another secret', { headers: theirs, body, secret: `whsec_${randomBytes(32).toString('base64')}` }],
    ['no secret', { headers: theirs, body, secret: 'whsec_' }],
    ['an empty signature', { headers: { ...theirs, 'webhook-signature': 'v1,' }, body, secret }],
    ['another version', { headers: { ...theirs, 'webhook-signature': theirs['webhook-signature'].replace('v1,', 'v2,') }, body, secret }],
    ['no headers', { headers: {}, body, secret }],
    ['a recording', { headers: theirs, body, secret, now: later(301_000) }],
    ['one of the future', { headers: theirs, body, secret, now: later(-302_000) }]
  ]
  for (const [what, request] of refused) t.notOk(verifyWebhook(request), what)
  const { deliveries } = await world(t)
  const secretOf = (consumer: string, credential: string, url: string) => deliveries.webhookSecret({ consumer, credential, url }).reveal()
  const places: Array<[string, string, string]> = [['a', 'b', 'https://c'], ['a', 'b', 'https://c/'], ['a', 'c', 'https://c'], ['b', 'b', 'https://c'], ['a","b', '', 'https://c']]
  t.equal(new Set(places.map(([consumer, credential, url]) => secretOf(consumer, credential, url))).size, places.length, 'another consumer, credential or URL has another secret')
})

t.test('the key: made once, and nobody else\'s to read', async (t) => {
  const file = join(t.testdir(), 'key.json')
  const [one, other] = await Promise.all([loadOrMakeKey(file), loadOrMakeKey(file)])
  t.equal(one.keyId, other.keyId, 'two that make it at once agree')
  t.equal(statSync(file).mode & 0o777, 0o600)
  t.equal((await loadOrMakeKey(file)).keyId, one.keyId)
  const { d } = JSON.parse(readFileSync(file, 'utf8')) as { d: string }
  chmodSync(file, 0o640)
  await t.rejects(loadOrMakeKey(file), /can be read by others/)
  writeFileSync(file, `{"d":"${d}"}`)
  chmodSync(file, 0o600)
  const told = await loadOrMakeKey(file).then(() => '', (error: unknown) => (error as Error).stack ?? '')
  t.match(told, /holds no X25519 key/)
  t.notOk(told.includes(d), 'and what is in it is not told')
})

t.test('a seal that was touched does not open', async (t) => {
  const { deliveries, key, content } = await world(t)
  const to = { keyId: key.keyId, key: key.publicJwk }
  const jwe = await deliveries.seal({ ...content(7), rotationId: 'r' }, to)
  t.same(await openDelivery(jwe, key, { credential: CREDENTIAL }), { credential: CREDENTIAL, value: 'value 7', valueId: 'id of value 7', deliverySeq: 7, rotationId: 'r' })
  t.match(await openDelivery(jwe, key, { credential: 'another' }).catch((error: unknown) => error), { fault: 'other_credential' })
  const other = await loadOrMakeKey(join(t.testdir(), 'other.json'))
  t.match(await openDelivery(jwe, other, { credential: CREDENTIAL }).catch((error: unknown) => error), { fault: 'other_key' })
  await fc.assert(fc.asyncProperty(fc.string({ unit: 'grapheme', minLength: 1, maxLength: 500 }), fc.nat(1_000_000), async (value, deliverySeq) => {
    const opened = await openDelivery(await deliveries.seal({ ...content(deliverySeq), value: new Secret(value) }, to), key, { credential: CREDENTIAL })
    return opened.value === value && opened.deliverySeq === deliverySeq
  }), { numRuns: 200, seed })
  const parts = jwe.split('.')
  await fc.assert(fc.asyncProperty(fc.nat(4), fc.nat(), fc.nat(63), async (part, at, put) => {
    const changed = [...parts]
    const text = changed[part] ?? ''
    const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
    const place = text.length === 0 ? 0 : at % text.length
    changed[part] = text.slice(0, place) + (alphabet[put] ?? 'A') + text.slice(place + 1)
    const same = changed.every((text, i) => Buffer.from(text, 'base64url').equals(Buffer.from(parts[i] ?? '', 'base64url')))
    const opened = await openDelivery(changed.join('.'), key, { credential: CREDENTIAL }).catch((error: unknown) => error)
    return same || opened instanceof DeliveryProblem
  }), { numRuns: 300, seed })
  t.pass('300 changed ones')
})

t.test('in whatever order deliveries arrive, the newest is in use, and nothing ever goes back', async (t) => {
  const { consumer, push } = await world(t)
  await fc.assert(fc.asyncProperty(fc.array(fc.nat(6), { minLength: 1, maxLength: 8 }), fc.boolean(), async (sequence, atOnce) => {
    const store = memoryStore()
    const inUse: number[] = []
    const make = () => consumer({
      store, use: async ({ deliverySeq }) => {
        await new Promise(setImmediate)
        inUse.push(deliverySeq)
      }
    })
    let one = make()
    const answers: number[] = []
    for (const seq of sequence) {
      const answer = push(seq).then((request) => one.handlePush(request)).then(({ status }) => { answers.push(status) })
      if (!atOnce) {
        await answer
        // A restart in between, now and then.
        if (seq % 3 === 0) {
          one = make()
          await one.start()
        }
      } else {
        void answer
      }
    }
    await until(() => answers.length === sequence.length)
    const newest = Math.max(...sequence)
    return one.holding(CREDENTIAL)?.deliverySeq === newest && (await store.load(CREDENTIAL))?.deliverySeq === newest &&
      inUse.every((seq, i) => i === 0 || seq >= (inUse[i - 1] ?? 0)) && answers.every((status) => status === 200 || status === 409)
  }), { numRuns: 40, seed })
  t.pass('40 orders')
})

t.test('pushes: who is let in, and what happens when going over fails', async (t) => {
  const { consumer, push, door, used, troubles, deliveries, content } = await world(t)
  const folder = join(t.testdir(), 'kept')
  let works = true
  const one = consumer({
    store: fileStore(folder), use: ({ value }) => {
      if (!works) throw new Error('the mail server does not take it')
      used.push(value)
    }
  })
  await one.start()
  const [first, second, third] = [await push(1), await push(2), await push(3)]
  const cut = { ...first, headers: { ...first.headers, 'webhook-id': 'x' } }
  t.equal((await one.handlePush(cut)).status, 401)
  t.equal((await one.handlePush(cut)).status, 401)
  t.equal(door.asked.get('POST /billing/webhook-secret'), 1, 'whoever guesses cannot make it ask for the secret over and over')
  t.equal((await one.handlePush({ ...first, body: first.body.replace(CREDENTIAL, 'another') })).status, 404)
  t.equal((await one.handlePush({ ...first, body: '{"type":"x"}' })).status, 400)
  t.equal((await one.handlePush({ ...first, body: 'no json' })).status, 400)
  t.equal((await one.handlePush(first)).status, 200)
  works = false
  t.equal((await one.handlePush(second)).status, 500)
  t.match(troubles.at(-1), { doing: 'using', credential: CREDENTIAL })
  t.match(one.holding(CREDENTIAL), { deliverySeq: 1 }, 'what worked is still in use')
  works = true
  t.match(await one.handlePush(second), { status: 200, body: '{"status":"taken"}' }, 'and the next try counts')
  t.match(await one.handlePush(second), { status: 200, body: '{"status":"known"}' })
  t.equal((await one.handlePush(first)).status, 409)
  t.same(used, ['value 1', 'value 2'])
  t.equal(statSync(join(folder, `${CREDENTIAL}.json`)).mode & 0o777, 0o600)
  t.equal(statSync(folder).mode & 0o777, 0o700)

  const again = consumer({ store: fileStore(folder) })
  await again.start()
  t.match(again.holding(CREDENTIAL), { value: 'value 2', deliverySeq: 2 }, 'after a restart it goes on with what it had')
  t.equal((await again.handlePush(first)).status, 409, 'and knows an old delivery for what it is')
  door.away = true
  const fresh = consumer()
  await fresh.start()
  t.equal((await fresh.handlePush(third)).status, 503, 'who cannot ask for the secret takes nothing')
  door.away = false
  t.equal((await fresh.handlePush(third)).status, 200)

  await t.test('the healthcheck proves what is in use', async (t) => {
    const nonce = randomBytes(32).toString('base64url')
    const { status, body } = again.handleHealthcheck({ credential: CREDENTIAL, nonce })
    t.equal(status, 200)
    t.same(JSON.parse(body), { status: 'ok', proof: possessionProof({ credential: CREDENTIAL, nonce, value: 'value 2' }) })
    t.same(JSON.parse(again.handleHealthcheck({ credential: CREDENTIAL }).body), { status: 'ok' }, 'without a nonce no proof')
    t.equal(again.handleHealthcheck({ credential: CREDENTIAL, nonce }, false).status, 503)
    t.equal(again.handleHealthcheck({ credential: 'another', nonce }).status, 404)
  })

  await t.test('whoever holds nothing fetches at its start', async (t) => {
    door.offer('billing', content(9))
    const late = consumer()
    await late.start()
    await until(() => late.holding(CREDENTIAL)?.deliverySeq === 9)
    t.same(await deliveries.announce([]), undefined)
  })

  await t.test('who kept a value asks at its start whether it missed one', async (t) => {
    door.offer('billing', content(10))
    const back = consumer({ store: fileStore(folder) })
    await back.start()
    await until(() => back.holding(CREDENTIAL)?.deliverySeq === 10)
    t.match(back.holding(CREDENTIAL), { value: 'value 10' })
  })
})

t.test('pulling: announced on Redis, fetched, acknowledged; what is missed is made up for', async (t) => {
  const redis = await testRedis(t)
  const stream = 'test:credential:rotation_events'
  const place: { url?: string } = {}
  const { deliveries, door, consumer, content, used, troubles } = await world(t, { url: () => place.url, stream })
  const announce = (deliverySeq: number, name = 'billing') => deliveries.announce([{ credential: CREDENTIAL, rotationId: 'r', consumer: name, deliverySeq }])
  await t.rejects(announce(1), /there is no Redis yet/)
  place.url = redis.url
  const one = consumer({ pull: { follow: followRedis({ url: redis.url, stream }), pollMs: 0 } })
  const path = `GET /billing/credentials/${CREDENTIAL}`
  await one.start()
  await until(() => (door.asked.get(path) ?? 0) === 2)
  t.same(used, [], 'at the start and once connected it asks, and there is nothing yet')

  const asked = door.asked.get(path) ?? 0
  door.offer('billing', content(1))
  await announce(1, 'somebody-else')
  await announce(1)
  await until(() => door.acknowledged.length === 1)
  t.same(door.acknowledged, [`billing ${CREDENTIAL} 1`])
  t.equal((door.asked.get(path) ?? 0) - asked, 1, 'the entry of somebody else is none of its business')
  const client = redis.client()
  const [[, fields] = ['', []]] = await client.xrevrange(stream, '+', '-', 'COUNT', 1)
  t.match(fields, ['event_type', 'credential.rotation', 'credential', CREDENTIAL, 'rotation_id', 'r', 'consumer', 'billing', 'delivery_seq', '1', 'occurred_at_ms', /^\d{13}$/])

  door.away = true
  door.offer('billing', content(2))
  await announce(2)
  await until(() => troubles.some(({ doing }) => doing === 'fetching'))
  door.away = false
  await until(() => door.acknowledged.length === 2)
  t.pass('a door that is away is asked again')

  await redis.stop()
  await t.rejects(announce(3), /Redis did not take the announcement/)
  door.offer('billing', content(3))
  await redis.start()
  await until(() => door.acknowledged.length === 3)
  t.same(used, ['value 1', 'value 2', 'value 3'], 'and after a loss of Redis everything is fetched once')
  await until(() => announce(3).then(() => true, () => false))
  t.equal(await one.fetch(CREDENTIAL), 'known')
})

t.test('it can be installed: packed, unpacked elsewhere, imported by its name, with its types', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const place = t.testdir({ node_modules: {}, built: {} })
  const built = join(place, 'built')
  execFileSync(process.execPath, [join(root, 'scripts/build-kits.mjs'), 'credentials', built])
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', place], { cwd: built, encoding: 'utf8' })) as Array<{ filename: string, files: Array<{ path: string }> }>
  const installed = join(place, 'node_modules', 'chancery-credentials-kit')
  mkdirSync(installed)
  execFileSync('tar', ['xzf', join(place, packed?.filename ?? ''), '-C', installed, '--strip-components=1'])
  symlinkSync(join(root, 'node_modules', 'jose'), join(place, 'node_modules', 'jose'))
  writeFileSync(join(place, 'app.mjs'), "import * as kit from 'chancery-credentials-kit'\nprocess.stdout.write(Object.keys(kit).join())")
  const names = execFileSync(process.execPath, [join(place, 'app.mjs')], { cwd: place, encoding: 'utf8' }).split(',')
  t.ok(['createCredentialConsumer', 'loadOrMakeKey', 'fileStore', 'verifyWebhook'].every((name) => names.includes(name)), `without ioredis: ${names.join()}`)
  t.notMatch(readFileSync(join(installed, 'src/index.d.ts'), 'utf8'), /\.ts'/, 'types name no sources')
  t.notOk(packed?.files.some(({ path }) => /(?<!\.d)\.ts$/.test(path)), 'and no sources are in it')
})
