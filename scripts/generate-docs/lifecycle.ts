// The lifecycle stream for those who follow it: the AsyncAPI document, and the entries that the kit's users test with.
import { createHash, createHmac } from 'node:crypto'
import packageJson from '../../package.json' with { type: 'json' }
import { settingsSchema } from '../../src/config-schema.ts'
import { canonicalEntry, EntryFields, entryIdOf, unsignedEntry, type UnsignedEntry } from '../../src/domain/lifecycle/entry.ts'
import { lifecycleTypes, type LifecycleType } from '../../src/domain/lifecycle/fields.ts'

const STREAM = String(settingsSchema.properties.CHANCERY_LIFECYCLE_STREAM.default)
const text = (value: unknown): string => `${JSON.stringify(value, null, 2)}\n`

// --- entries to test with ------------------------------------------------------------------------------------------

/** Known to everybody: no service signs with it. */
const KEY = { key_id: 'fixture0', key: createHash('sha256').update('the key of the fixtures').digest('base64url') }
const digestOf = (words: string) => createHash('sha256').update(words).digest('hex')
const uuid = (words: string): string => digestOf(words).replace(/^(.{8})(.{4}).(.{3}).(.{3})(.{12}).*$/, '$1-$2-5$3-8$4-$5')
const sign = (canonical: string, key = KEY.key): string => `${KEY.key_id}:${createHmac('sha256', Buffer.from(key, 'base64url')).update(canonical).digest('base64url')}`

interface FixtureEntry { id: string, fields: Record<string, string> }
interface Plan { type: LifecycleType, user: string, position: bigint, previous: bigint, whole: boolean }

const unsigned = ({ type, user, position, previous, whole }: Plan): UnsignedEntry => unsignedEntry({
  id: uuid(`event ${position}`), type,
  data: {
    userId: uuid(user), occurredAtMs: 1_767_323_045_678 + Number(position), source: 'admin-service', actorType: 'principal', reasonCode: type.endsWith('deleted') ? 'user_request' : 'cheating',
    ...whole && { actorId: uuid('an operator'), traceId: digestOf('a trace').slice(0, 32) }
  }
}, previous)

const signed = (plan: Plan): FixtureEntry => {
  const id = entryIdOf(plan.position)
  const fields = unsigned(plan)
  return { id, fields: { ...fields, mac: sign(canonicalEntry(fields, { entryId: id, stream: STREAM })) } }
}

const [blocked, deleted] = lifecycleTypes
/** Who, what, where in the log: two users whose entries interleave, and one who is blocked before being deleted. */
const story: ReadonlyArray<[user: string, type: LifecycleType, position: bigint]> = [
  ['ada', blocked, 1_204n], ['grace', deleted, 2_911n], ['ada', deleted, 3_078n], ['edsger', blocked, 7_340n], ['barbara', deleted, 7_341n], ['edsger', deleted, 9_007_199_254_740_993n]
]
const plans = story.map(([user, type, position], at): Plan => ({ user, type, position, previous: story[at - 1]?.[2] ?? 0n, whole: at % 2 === 0 }))

/** kits/lobby/fixtures/replay.json */
export const replayFixture = (): string => {
  const hash = plans.reduce((before, plan) => createHash('sha256').update(before)
    .update(canonicalEntry(unsigned(plan), { entryId: entryIdOf(plan.position), stream: STREAM })).digest(), Buffer.alloc(32) as Buffer)
  return text({
    about: 'A whole stream, in order: XADD each entry under its id. The last position is more than a double can hold.',
    stream: STREAM,
    mac_key: KEY,
    entries: plans.map(signed),
    digest: { from: '0', to: String(plans.at(-1)?.position), count: plans.length, hash: hash.toString('hex') }
  })
}

/** kits/lobby/fixtures/samples.json */
export const sampleFixture = (): string => {
  const place = { position: 1_204n, previous: 0n, user: 'ada' }
  const sample = signed({ ...place, type: deleted, whole: true })
  const { mac: _, ...fields } = sample.fields
  const resigned = (changed: Record<string, string>, id = sample.id): FixtureEntry =>
    ({ id, fields: { ...changed, mac: sign(canonicalEntry(changed as UnsignedEntry, { entryId: id, stream: STREAM })) } })
  const { user_id: __, ...nobody } = fields
  return text({
    about: 'One entry of each kind, and entries that a consumer must not pass, with what the kit calls the problem.',
    stream: STREAM,
    mac_key: KEY,
    valid: Object.fromEntries(lifecycleTypes.flatMap((type) => [
      [type, signed({ ...place, type, whole: true })], [`${type}, what is optional left out`, signed({ ...place, type, whole: false })]
    ])),
    later: { 'a field that a later version adds': resigned({ ...fields, later_field: 'é "\\ \u2028' }), 'a type that a later version adds': resigned({ ...fields, event_type: 'user.lifecycle.later' }) },
    invalid: {
      'another reason than was signed': { problem: 'bad_mac', ...sample, fields: { ...sample.fields, reason_code: 'fraud' } },
      'under another id': { problem: 'bad_mac', ...sample, id: '1205-1205' },
      'from another stream': { problem: 'bad_mac', ...sample, fields: { ...fields, mac: sign(canonicalEntry(fields as UnsignedEntry, { entryId: sample.id, stream: 'elsewhere' })) } },
      'signed with another key': { problem: 'bad_mac', ...sample, fields: { ...fields, mac: sign(canonicalEntry(fields as UnsignedEntry, { entryId: sample.id, stream: STREAM }), digestOf('another key')) } },
      'a key that nobody has': { problem: 'unknown_key', ...sample, fields: { ...sample.fields, mac: String(sample.fields['mac']).replace('fixture0', 'fixture9') } },
      'without a MAC': { problem: 'malformed', id: sample.id, fields },
      'without a user': { problem: 'malformed', ...resigned(nobody) },
      'an id that is no position': { problem: 'malformed', ...resigned(fields, '1767323045678-0') }
    }
  })
}

// --- the AsyncAPI document -----------------------------------------------------------------------------------------

const messageName = (type: LifecycleType): string => type === deleted ? 'deleted' : 'permanentBlocked'

const meanings: Readonly<Record<LifecycleType, string>> = {
  'user.lifecycle.permanent_blocked': 'A permanent block became active. Lifting it later publishes nothing.',
  'user.lifecycle.deleted': 'The account was deleted softly. It is the last entry of its user.'
}

const message = (type: LifecycleType) => ({
  name: type,
  title: meanings[type].split('.')[0],
  summary: meanings[type],
  contentType: 'application/json',
  payload: { ...EntryFields, properties: { ...EntryFields.properties, event_type: { const: type, type: 'string', description: EntryFields.properties.event_type.description } } },
  examples: [{ name: messageName(type), payload: signed({ position: 1_204n, previous: 0n, user: 'ada', type, whole: true }).fields }]
})

/** docs/reference/lifecycle.asyncapi.json */
export const asyncApiDocument = (): string => text({
  asyncapi: '3.0.0',
  info: {
    title: 'Chancery: the account lifecycle',
    version: packageJson.version,
    description: 'Generated from src/domain/lifecycle/entry.ts by npm run docs: edit that, not this.\n\n' +
      'A Redis stream. Each message is an entry; its payload stands for the entry\'s fields, all of them text. The entry\'s id is ' +
      '`<position>-<position>`, the position of the event in Chancery\'s log, so it grows and repeats are recognised. Nothing in it is personal.',
    license: { name: packageJson.license }
  },
  defaultContentType: 'application/json',
  servers: { redis: { host: 'localhost:6379', protocol: 'redis', description: 'CHANCERY_REDIS_URL, or the local server of the service' } },
  channels: {
    lifecycle: {
      address: STREAM,
      title: 'Lifecycle stream',
      description: 'The key is CHANCERY_LIFECYCLE_STREAM, with CHANCERY_NAMESPACE and a colon in front if there is a namespace. Entries are in the order of the log; ' +
        '`previous_position` names the one before, so that a gap (entries that were trimmed) shows. A consumer that comes too late takes the snapshot at /api/v1/lobby/lifecycle/snapshot.',
      servers: [{ $ref: '#/servers/redis' }],
      messages: Object.fromEntries(lifecycleTypes.map((type) => [messageName(type), { $ref: `#/components/messages/${messageName(type)}` }]))
    }
  },
  operations: {
    publishLifecycle: {
      action: 'send',
      channel: { $ref: '#/channels/lifecycle' },
      title: 'Publish what ended an account',
      description: 'At least once into Redis, exactly one entry for each event; published again after Redis has lost its end.',
      messages: lifecycleTypes.map((type) => ({ $ref: `#/channels/lifecycle/messages/${messageName(type)}` }))
    }
  },
  components: { messages: Object.fromEntries(lifecycleTypes.map((type) => [messageName(type), message(type)])) }
})
