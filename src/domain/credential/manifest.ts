// A credential's manifest: what it is, who mints it and who uses it; each version is a fact (issue: seed 004, decision 30).
import { Type, type Static } from '@sinclair/typebox'
import { closed, Uuid } from '../fields.ts'
import { PersonalField } from '../personal.ts'
import { CredentialName, SubscriberName } from './fields.ts'

/** The small shapes are the door's as well: what it lets through, the log has to take. */
export const Url = () => Type.String({ pattern: '^https?://', maxLength: 1024 })
export const Pointer = () => Type.String({ pattern: '^(/([^~/]|~[01])*)*$', maxLength: 256 })

/**
 * One request to an HTTP vendor. `{{value}}` (the credential), `{{connection}}`, `{{label}}` and `{{token_id}}` may
 * stand in url, headers and body. `expect`: the statuses that mean yes.
 */
export const HttpCall = () => Type.Object({
  method: Type.Union((['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const).map((method) => Type.Literal(method))),
  url: Url(),
  headers: Type.Optional(Type.Record(Type.String({ maxLength: 128 }), Type.String({ maxLength: 1024 }), { maxProperties: 32 })),
  body: Type.Optional(Type.String({ maxLength: 4096 })),
  expect: Type.Array(Type.Integer({ minimum: 200, maximum: 599 }), { minItems: 1, maxItems: 16, description: 'Statuses that mean yes' })
}, closed)
export type HttpCall = Static<ReturnType<typeof HttpCall>>

/** Statuses that mean: this token is refused. */
export const RefusedStatuses = () => Type.Array(Type.Integer({ minimum: 400, maximum: 499 }), { minItems: 1, maxItems: 8 })

export const HttpVendor = () => Type.Object({
  kind: Type.Literal('http'),
  /** With the value: it authenticates. Also the request of which `refusedStatuses` is expected once it is revoked. */
  authenticate: HttpCall(),
  /** With the value: its metadata can be read. */
  metadata: HttpCall(),
  /** With the connection, changing nothing: it may mint. */
  mayMint: HttpCall(),
  /** With the connection. Pointers (RFC 6901) into the JSON answer. */
  mint: Type.Object({ call: HttpCall(), secret: Pointer(), tokenId: Pointer(), expiresAt: Type.Optional(Pointer()) }, closed),
  /** With the connection. `items` points to an array; the others are pointers into one of its items. */
  list: Type.Object({
    call: HttpCall(), items: Pointer(), tokenId: Pointer(), label: Type.Optional(Pointer()), lastUsedAt: Type.Optional(Pointer())
  }, closed),
  /** With the connection. */
  revoke: HttpCall(),
  refusedStatuses: RefusedStatuses()
}, closed)

export const GroupRole = () => Type.String({ pattern: '^[a-z_][a-z0-9_]{0,40}$', maxLength: 41 })
export const PostgresAddress = () => Type.String({ pattern: '^postgres(ql)?://', maxLength: 512 })
export const RedisUser = () => Type.String({ pattern: '^[A-Za-z0-9_.-]{1,64}$', maxLength: 64 })
export const RedisAddress = () => Type.String({ pattern: '^rediss?://', maxLength: 512 })

/** The value is a connection string `postgres://role:password@…`; a second login role in the same group role takes over. */
const PostgresRoleVendor = () => Type.Object({
  kind: Type.Literal('postgres-role'),
  /** The role that holds the rights, and that each login role belongs to. */
  group: GroupRole(),
  /** Address and parameters of the value, without role and password. */
  address: PostgresAddress()
}, closed)

/** The value is a connection string `redis://user:password@…`; a second password of the same user takes over. */
const RedisAclVendor = () => Type.Object({
  kind: Type.Literal('redis-acl'),
  user: RedisUser(),
  address: RedisAddress()
}, closed)

/** An access token of one of our own service principals. */
const ChanceryTokenVendor = () => Type.Object({ kind: Type.Literal('chancery-token'), principalId: Uuid() }, closed)

/** The operator mints and revokes by hand, and pastes the new value; what can be asked of the vendor is asked. */
const ManualVendor = () => Type.Object({
  kind: Type.Literal('manual'),
  /** What the operator is told to do. */
  instructions: Type.String({ minLength: 1, maxLength: 2048 }),
  authenticate: HttpCall(),
  /** With the value, where the vendor can be asked: its metadata can be read. */
  metadata: Type.Optional(HttpCall()),
  refusedStatuses: RefusedStatuses()
}, closed)

export const VendorSettings = () => Type.Union([HttpVendor(), PostgresRoleVendor(), RedisAclVendor(), ChanceryTokenVendor(), ManualVendor()])
export type VendorSettings = Static<ReturnType<typeof VendorSettings>>
export type VendorKind = VendorSettings['kind']
export const vendorKinds = ['http', 'postgres-role', 'redis-acl', 'chancery-token', 'manual'] as const satisfies readonly VendorKind[]

/** What mints, lists and revokes: another credential of ours, or an account of `CHANCERY_VENDOR_ACCOUNTS_FILE`. Never the credential itself. */
export const Connection = () => Type.Union([
  Type.Object({ credential: CredentialName() }, closed),
  Type.Object({ account: Type.String({ pattern: '^[a-z][a-z0-9-]{0,47}$' }) }, closed)
])
export type Connection = Static<ReturnType<typeof Connection>>

export const Subscriber = () => Type.Object({
  consumer: SubscriberName(),
  /** Must be said: revoking waits for each that is required, without exception. */
  required: Type.Boolean(),
  delivery: Type.Union([
    Type.Object({ kind: Type.Literal('push'), url: Url() }, closed),
    Type.Object({ kind: Type.Literal('pull') }, closed)
  ]),
  healthcheck: Url(),
  /** How it proves that it uses the new value; `none` only for one that is not required (decision 34). */
  proof: Type.Union([
    Type.Object({ kind: Type.Literal('possession') }, closed),
    Type.Object({ kind: Type.Literal('none'), reason: Type.String({ minLength: 1, maxLength: 256 }) }, closed)
  ])
}, closed)
export type Subscriber = Static<ReturnType<typeof Subscriber>>

export const sensitivities = ['critical', 'high', 'normal'] as const
export const ManifestField = () => Type.Object({
  vendor: VendorSettings(),
  /** Absent for `manual` and `chancery-token`, which need none. */
  connection: Type.Optional(Connection()),
  sensitivity: Type.Union(sensitivities.map((word) => Type.Literal(word))),
  /** Both personal: sealed under the credential's own key (`credential-{name}`), in events and rows alike. */
  owner: Type.Object({ name: PersonalField(), email: PersonalField() }, closed),
  /** How old a value may become, in days; absent: only what the vendor says about its expiry counts. */
  lifetimeDays: Type.Optional(Type.Integer({ minimum: 1, maximum: 3650 })),
  /** So many days before a value expires, a rotation is due. */
  leadDays: Type.Integer({ minimum: 0, maximum: 365 }),
  consumers: Type.Array(Subscriber(), { maxItems: 500 })
}, closed)
export type Manifest = Static<ReturnType<typeof ManifestField>>
