// What the lobby kit decides without anybody else: order, the gapless prefix, which entries it believes; and its fixtures.
import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as turn } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { FormatRegistry } from '@sinclair/typebox'
import { Value } from '@sinclair/typebox/value'
import fc from 'fast-check'
import t from 'tap'
import document from '../../docs/reference/lifecycle.asyncapi.json' with { type: 'json' }
import replay from '../../kits/lobby/fixtures/replay.json' with { type: 'json' }
import samples from '../../kits/lobby/fixtures/samples.json' with { type: 'json' }
import { emptyDigest, extendDigest, readEntry } from '../../kits/lobby/src/index.ts'
import { createLanes, laneOf } from '../../kits/lobby/src/lanes.ts'
import { createPrefix } from '../../kits/lobby/src/prefix.ts'
import { EntryFields } from '../../src/domain/lifecycle/entry.ts'
import { lifecycleTypes } from '../../src/domain/lifecycle/fields.ts'

/** A failure prints seed and path. */
const check = async (property: fc.IRawProperty<unknown>): Promise<void> => { await fc.assert(property as fc.IAsyncProperty<unknown>, { numRuns: 300 }) }
const positions = fc.uniqueArray(fc.bigInt({ min: 1n, max: 2n ** 63n - 1n }), { minLength: 1, maxLength: 40 }).map((list) => list.sort((a, b) => a < b ? -1 : 1))

t.test('the prefix passes an entry when all before it are settled, in order, each once', async () => {
  await check(fc.property(positions, fc.infiniteStream(fc.nat()), fc.nat(10), (taken, choices, early) => {
    const prefix = createPrefix()
    const passed: bigint[] = []
    const waiting = [...taken]
    const open: bigint[] = []
    const settled = new Set<bigint>()
    for (const choice of choices) {
      if (waiting.length === 0 && open.length === 0) break
      // Taking and settling interleave as reader and handlers do.
      if (waiting.length > 0 && (open.length === 0 || choice % 10 >= early)) {
        const position = waiting.shift() ?? 0n
        prefix.take({ position, eventId: '', canonical: '' })
        open.push(position)
      } else {
        const [position = 0n] = open.splice(choice % open.length, 1)
        settled.add(position)
        passed.push(...prefix.settle(position).map((entry) => entry.position))
      }
      const expected = taken.slice(0, taken.findIndex((position) => !settled.has(position)) === -1 ? undefined : taken.findIndex((position) => !settled.has(position)))
      if (String(passed) !== String(expected)) throw new Error(`passed ${passed.join()}, not ${expected.join()}`)
      if (prefix.size !== taken.length - waiting.length - passed.length) throw new Error(`${prefix.size} are said to be on their way`)
    }
  }))
})

t.test('lanes keep the order of each key, run no more at a time than they are, and are idle only when all is done', async () => {
  await check(fc.asyncProperty(fc.integer({ min: 1, max: 6 }), fc.array(fc.record({ key: fc.string({ maxLength: 3 }), turns: fc.nat(4) }), { maxLength: 40 }), async (count, tasks) => {
    const lanes = createLanes(count)
    const began: number[] = []
    const ended: number[] = []
    let running = 0
    const byKey = new Map<string, number>()
    for (const [number, { key, turns }] of tasks.entries()) {
      lanes.add(key, async () => {
        if (++running > count) throw new Error(`${running} at a time`)
        if ((byKey.get(key) ?? -1) > number) throw new Error(`${number} came after a later one of its key`)
        byKey.set(key, number)
        began.push(number)
        for (let at = 0; at < turns; at++) await turn()
        ended.push(number)
        running--
      })
    }
    await lanes.idle()
    if (began.length !== tasks.length || ended.length !== tasks.length) throw new Error('idle before the end')
  }))
})

t.test('keys spread over the lanes', async (t) => {
  const lanes = Array.from({ length: 8 }, () => 0)
  for (let at = 0; at < 8_000; at++) {
    const lane = laneOf(`user-${at}`, 8)
    lanes[lane] = (lanes[lane] ?? 0) + 1
  }
  t.ok(lanes.every((count) => count > 800 && count < 1_200), lanes.join())
})

const keys = { [samples.mac_key.key_id]: samples.mac_key.key }
const flat = (fields: Readonly<Record<string, string>>): string[] => Object.entries(fields).flat()

t.test('the fixtures are what the kit believes, and does not', async (t) => {
  for (const [name, { id, fields }] of Object.entries({ ...samples.valid, ...samples.later })) {
    const read = await readEntry(samples.stream, id, flat(fields), keys)
    t.match(read, { entry: { entryId: id, eventId: fields.event_id, userId: fields.user_id, type: fields.event_type } }, name)
  }
  for (const [name, { problem, id, fields }] of Object.entries(samples.invalid)) t.match(await readEntry(samples.stream, id, flat(fields), keys), { problem }, name)
  const { id, fields } = samples.valid['user.lifecycle.deleted']
  t.match(await readEntry(samples.stream, id, [...flat(fields), 'source', 'twice'], keys), { problem: 'malformed' })

  let digest = emptyDigest(BigInt(replay.digest.from))
  let previous = 0n
  for (const { id, fields } of replay.entries) {
    const read = await readEntry(replay.stream, id, flat(fields), async (keyId) => keyId === replay.mac_key.key_id ? Buffer.from(replay.mac_key.key, 'base64url') : undefined)
    if (!('entry' in read)) throw new Error(read.detail)
    t.equal(read.entry.previousPosition, previous)
    previous = read.entry.position
    digest = extendDigest(digest, read.entry.canonical)
  }
  t.match(digest, { count: replay.digest.count, hash: replay.digest.hash })
  t.equal(previous, BigInt(replay.digest.to), 'to the last digit')
})

t.test('any change to an entry is noticed', async () => {
  const entry: { id: string, fields: Readonly<Record<string, string>> } = samples.valid['user.lifecycle.deleted']
  const names = Object.keys(entry.fields)
  await check(fc.asyncProperty(fc.constantFrom(...names), fc.string({ maxLength: 20 }), fc.boolean(), async (name, value, added) => {
    if (entry.fields[name] === value || (added && names.includes(`${name}${value}`))) return
    const changed: Record<string, string> = added ? { ...entry.fields, [`${name}${value}`]: value } : { ...entry.fields, [name]: value }
    const read = await readEntry(samples.stream, entry.id, flat(changed), keys)
    if ('entry' in read) throw new Error(`${name} may be ${JSON.stringify(value)}`)
  }))
})

t.test('the AsyncAPI document describes the fixtures', async (t) => {
  FormatRegistry.Set('uuid', (text) => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text))
  for (const { fields } of replay.entries) t.ok(Value.Check(EntryFields, fields), [...Value.Errors(EntryFields, fields)].map(({ path, message }) => `${path} ${message}`).join())
  t.notOk(Value.Check(EntryFields, samples.invalid['without a MAC'].fields))
  const messages = Object.values(document.components.messages)
  t.strictSame(messages.map(({ name, payload }) => [name, payload.properties.event_type.const]), lifecycleTypes.map((type) => [type, type]))
  for (const { payload, examples } of messages) {
    t.strictSame(payload.required, EntryFields.required)
    t.strictSame(Object.keys(payload.properties), Object.keys(EntryFields.properties))
    t.ok(Value.Check(EntryFields, examples[0]?.payload))
  }
})

t.test('it can be installed: packed, unpacked elsewhere, imported by its name, with its types', async (t) => {
  const root = fileURLToPath(new URL('../..', import.meta.url))
  const place = t.testdir({ node_modules: {}, built: {} })
  const built = join(place, 'built')
  execFileSync(process.execPath, [join(root, 'scripts/build-kits.mjs'), 'lobby', built])
  const [packed] = JSON.parse(execFileSync('npm', ['pack', '--json', '--silent', '--pack-destination', place], { cwd: built, encoding: 'utf8' })) as Array<{ filename: string, files: Array<{ path: string }> }>
  const installed = join(place, 'node_modules', 'chancery-lobby-kit')
  mkdirSync(installed)
  execFileSync('tar', ['xzf', join(place, packed?.filename ?? ''), '-C', installed, '--strip-components=1'])
  symlinkSync(join(root, 'node_modules', 'ioredis'), join(place, 'node_modules', 'ioredis'))
  writeFileSync(join(place, 'app.mjs'), "import * as kit from 'chancery-lobby-kit'\nprocess.stdout.write(Object.keys(kit).join())")
  const names = execFileSync(process.execPath, [join(place, 'app.mjs')], { cwd: place, encoding: 'utf8' }).split(',')
  t.ok(['createLifecycleConsumer', 'createLifecycleService', 'postgresStore', 'readEntry'].every((name) => names.includes(name)), names.join())
  const types = readFileSync(join(installed, 'src/index.d.ts'), 'utf8')
  t.match(types, /createLifecycleConsumer/)
  t.notMatch(types, /\.ts'/, 'which name no sources')
  t.ok(packed?.files.some(({ path }) => path === 'fixtures/replay.json'))
  t.notOk(packed?.files.some(({ path }) => /(?<!\.d)\.ts$/.test(path)), 'and no sources are in it')
})
