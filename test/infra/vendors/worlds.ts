// One vendor of each kind for the contract test: a token in use, a gateway, one without its connection, and faults where they can be ordered.
import { createHash, createHmac, randomBytes } from 'node:crypto'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import pg from 'pg'
import type { Test } from 'tap'
import { freePort } from '../../../infra/local/children/free-port.ts'
import { uuidIds as ids } from '../../../infra/ids.ts'
import { masterKey } from '../../../infra/keys/master-key.ts'
import { createOutgoing } from '../../../infra/outgoing/index.ts'
import { connectPostgres } from '../../../infra/postgres/index.ts'
import { openVault } from '../../../infra/vault/index.ts'
import { chanceryTokenVendor, type OwnTokens } from '../../../infra/vendors/chancery-token.ts'
import { httpVendor } from '../../../infra/vendors/http.ts'
import { postgresRoleVendor } from '../../../infra/vendors/postgres-role.ts'
import { redisAclVendor } from '../../../infra/vendors/redis-acl.ts'
import { createAccess } from '../../../src/commands/access/authorise.ts'
import { createAggregates } from '../../../src/commands/execute.ts'
import { createPrincipal } from '../../../src/commands/principals/principals.ts'
import { issueTokenFor } from '../../../src/commands/tokens/tokens.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import type { VendorSettings } from '../../../src/domain/credential/manifest.ts'
import { Secret } from '../../../src/domain/credential/secret.ts'
import { LogOutcomeUnknown } from '../../../src/log-errors.ts'
import type { ListedToken, VendorGateway } from '../../../src/rotation-ports.ts'
import { ownTokens } from '../../../src/start/own-tokens.ts'
import { leaveFolder, noteCanary } from '../../support/left-behind.ts'
import { testLog } from '../../support/log.ts'
import { memoryVendor } from '../../support/memory-vendor.ts'
import { testDatabase } from '../../support/postgres.ts'
import { testRedis } from '../../support/redis.ts'
import { smallVendor } from '../../support/small-vendor.ts'

export type Call = 'authenticate' | 'mint' | 'list' | 'revoke'
/** `late`: done only after the time limit of `impatient`. */
export type Fault = 'error' | 'no' | 'timeout' | 'applied_unanswered' | 'applied_timeout' | 'late'

export interface World {
  vendor: VendorGateway
  /** The same, and its time limit is short. */
  impatient?: VendorGateway
  /** The same with no secret for the connection; undefined where there is no connection. */
  disconnected?: VendorGateway
  /** The same behind an address where nobody listens. */
  away?: VendorGateway
  /** Made by hand, in use. */
  old: { tokenId: string | undefined, secret: Secret }
  /** A value that never worked. */
  dead: Secret
  labels: boolean
  /** Orders one fault for the next such call; absent where a server makes none to order. */
  fault?: (call: Call, fault: Fault) => Promise<void>
  /** What the vendor itself knows, asked for past the gateway. */
  tokens: () => Promise<ListedToken[]>
}

const IMPATIENT = 250

export const memoryWorld = async (): Promise<World> => {
  const clock = { now: () => new Date(), sleep: async (ms: number) => { await delay(ms) } }
  const vendor = memoryVendor({ clock, timeLimitMs: IMPATIENT })
  const disconnected = memoryVendor({ clock })
  disconnected.connected = false
  const away = memoryVendor({ clock })
  for (const call of ['authenticate', 'mint', 'list', 'revoke', 'refused'] as const) away.fault(call, { kind: 'away' })
  const old = vendor.issue('by hand')
  const faults = {
    error: { kind: 'error' }, no: { kind: 'no' }, timeout: { kind: 'timeout' }, applied_unanswered: { kind: 'applied_unanswered' },
    applied_timeout: { kind: 'applied_unanswered', timeout: true }, late: { kind: 'slow', ms: IMPATIENT * 2 }
  } as const
  return {
    vendor, impatient: vendor, away, old, dead: new Secret('never-was-one'), labels: true,
    // Its own values are unknown to the other vendor, so its first two probes are left out.
    disconnected: { ...disconnected, verify: async (value) => [...(await vendor.verify(value, { replace: false })).slice(0, 2), ...await disconnected.verify(value, { replace: true })] },
    fault: async (call, fault) => { vendor.fault(call, faults[fault]) },
    tokens: async () => vendor.live()
  }
}

const bearer = (name: string) => ({ authorization: `Bearer {{${name}}}` })

export const httpSettings = (url: string): Extract<VendorSettings, { kind: 'http' }> => ({
  kind: 'http',
  authenticate: { method: 'GET', url: `${url}/account`, headers: bearer('value'), expect: [200] },
  metadata: { method: 'GET', url: `${url}/oauth/authorizations/~`, headers: bearer('value'), expect: [200] },
  mayMint: { method: 'GET', url: `${url}/account/permissions`, headers: bearer('connection'), expect: [200] },
  mint: {
    call: { method: 'POST', url: `${url}/oauth/authorizations`, headers: bearer('connection'), body: '{"description": "{{label}}"}', expect: [201] },
    secret: '/access_token/token', tokenId: '/id', expiresAt: '/expires_at'
  },
  list: { call: { method: 'GET', url: `${url}/oauth/authorizations`, headers: bearer('connection'), expect: [200] }, items: '', tokenId: '/id', label: '/description', lastUsedAt: '/last_used_at' },
  revoke: { method: 'DELETE', url: `${url}/oauth/authorizations/{{token_id}}`, headers: bearer('connection'), expect: [200] },
  refusedStatuses: [401]
})

export const httpWorld = async (t: Test): Promise<World> => {
  const small = await smallVendor(t)
  noteCanary({ what: 'the token of a connection', text: small.connection.token })
  const [outgoing, hasty] = [createOutgoing({ allow: [], plainLoopback: true }), createOutgoing({ allow: [], plainLoopback: true, timeoutMs: IMPATIENT })]
  t.teardown(async () => { await Promise.all([outgoing.close(), hasty.close()]) })
  const connection = async () => new Secret(small.connection.token)
  const vendor = httpSettings(small.url)
  const old = await small.issue({ description: 'by hand' })
  return {
    vendor: httpVendor({ vendor, connection, outgoing }),
    impatient: httpVendor({ vendor, connection, outgoing: hasty }),
    disconnected: httpVendor({ vendor, connection: async () => undefined, outgoing }),
    away: httpVendor({ vendor: httpSettings(`http://127.0.0.1:${await freePort()}`), connection, outgoing }),
    old, dead: new Secret('vnd_never-was-one'), labels: true,
    fault: async (call, kind) => { await small.fault(kind === 'late' ? { call, kind: 'slow', ms: IMPATIENT * 2 } : { call, kind }) },
    tokens: async () => (await small.look()).tokens.map(({ id, description }) => ({ tokenId: id, label: description }))
  }
}

export const chanceryWorld = async (t: Test): Promise<World> => {
  const postgres = await connectPostgres({ url: (await testDatabase(t)).url })
  t.teardown(() => postgres.close())
  const vault = await openVault({ pool: postgres.pool, schema: postgres.schemas.vault, masterKey: masterKey(randomBytes(32), 'test') })
  const events = await testLog(t, vault)
  const clock = { now: () => new Date() }
  const aggregates = createAggregates(events, ids)
  const lock = { mode: 'many' as const, proven: () => true, epoch: 1, whenProven: async () => true }
  const own = ownTokens({ aggregates, access: createAccess({ aggregates, events, lock, clock, ids }), ids, clock })
  const context = () => ({ commandId: ids.next(), at: clock.now(), actor: { type: 'system', id: 'test' }, requestId: 'test' } as const)
  const { principalId } = await createPrincipal({ aggregates, ids }, { kind: 'service', name: 'a service', roles: [] }, context())
  // By hand, and without a label.
  const { tokenId, token = '' } = await issueTokenFor({ aggregates, ids }, { principalId }, context())
  const waiting = new Map<Call, Fault[]>()
  const faulty = <A extends unknown[], R>(call: Call, act: (...args: A) => Promise<R>) => async (...args: A): Promise<R> => {
    const fault = waiting.get(call)?.shift()
    switch (fault) {
      case undefined: return await act(...args)
      case 'error': throw new LogOutcomeUnknown('the test says so')
      case 'no': throw new Refusal('conflict', 'the test says so')
      case 'timeout': return await new Promise(() => {})
      case 'applied_unanswered':
        await act(...args)
        throw new LogOutcomeUnknown('the test says so')
      case 'applied_timeout':
        await act(...args)
        return await new Promise(() => {})
      case 'late':
        await delay(IMPATIENT * 2)
        return await act(...args)
    }
  }
  const tampered: OwnTokens = { ...own, issue: faulty('mint', own.issue), revoke: faulty('revoke', own.revoke), judge: faulty('authenticate', own.judge) }
  const listing: OwnTokens = { ...tampered, look: faulty('list', own.look) }
  const vendor = { kind: 'chancery-token', principalId } as const
  const gateway = (timeoutMs = 10_000): VendorGateway => {
    const lister = chanceryTokenVendor({ vendor, own: listing, timeoutMs })
    return { ...chanceryTokenVendor({ vendor, own: tampered, timeoutMs }), list: () => lister.list() }
  }
  return {
    vendor: gateway(), impatient: gateway(IMPATIENT), old: { tokenId, secret: new Secret(token) },
    dead: new Secret(token.replace(/.$/, (last) => last === 'x' ? 'y' : 'x')), labels: true,
    fault: async (call, fault) => { waiting.set(call, [...waiting.get(call) ?? [], fault]) },
    tokens: async () => (await own.look(principalId))?.tokens ?? []
  }
}

export const postgresWorld = async (t: Test): Promise<World> => {
  const { url } = await testDatabase(t)
  const [group, password] = [`c${randomBytes(4).toString('hex')}`, randomBytes(12).toString('hex')]
  const root = new pg.Client(url)
  await root.connect()
  await root.query(`create role ${group} nologin; create role ${group}_admin login createrole password '${password}'; grant ${group} to ${group}_admin with admin option;
    create role ${group}_hand login password '${password}' in role ${group}; grant ${group}_hand to ${group}_admin with admin option, inherit false, set false`)
  const roles = async () => (await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 and rolname <> $2 and rolcanlogin', [`${group}\\_%`, `${group}_admin`])).rows
  t.teardown(async () => {
    for (const { rolname } of (await root.query<{ rolname: string }>('select rolname from pg_roles where rolname like $1 order by rolname desc', [`${group}%`])).rows) await root.query(`drop owned by "${rolname}" cascade; drop role "${rolname}"`)
    await root.end()
  })
  const as = (user: string, port = new URL(url).port): string => Object.assign(new URL(url), { username: user, password: user === '' ? '' : password, port }).href
  const settings = (port?: string) => ({ kind: 'postgres-role', group, address: as('', port) }) as const
  const nobody = String(await freePort())
  return {
    vendor: postgresRoleVendor({ vendor: settings(), connection: async () => new Secret(as(`${group}_admin`)) }),
    disconnected: postgresRoleVendor({ vendor: settings(), connection: async () => undefined }),
    away: postgresRoleVendor({ vendor: settings(nobody), connection: async () => new Secret(as(`${group}_admin`, nobody)) }),
    old: { tokenId: `${group}_hand`, secret: new Secret(as(`${group}_hand`)) }, dead: new Secret(as(`${group}_nobody`)), labels: true,
    tokens: async () => (await roles()).map(({ rolname }) => ({ tokenId: rolname }))
  }
}

export const redisWorld = async (t: Test): Promise<World> => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-contract-'))
  t.teardown(() => leaveFolder(folder))
  const [admin, hand] = [randomBytes(15).toString('hex'), randomBytes(15).toString('hex')]
  const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')
  writeFileSync(join(folder, 'users.acl'), ['user default on nopass ~* &* +@all', `user admin on #${sha256(admin)} +@all`, `user app on #${sha256(hand)} ~app:* &* +@all -@admin`, ''].join('\n'))
  const server = await testRedis(t, { settings: [`aclfile ${join(folder, 'users.acl')}`] })
  const as = (user: string, password: string, port = server.port) => new Secret(`redis://${user}:${password}@127.0.0.1:${port}`)
  const settings = (port = server.port) => ({ kind: 'redis-acl', user: 'app', address: `redis://127.0.0.1:${port}` }) as const
  const fingerprint = (secret: Secret): string => createHmac('sha256', 'the test').update(secret.reveal()).digest('base64url')
  const nobody = await freePort()
  const client = server.client()
  const vendor = redisAclVendor({ vendor: settings(), connection: async () => as('admin', admin), fingerprint })
  return {
    vendor,
    disconnected: redisAclVendor({ vendor: settings(), connection: async () => undefined, fingerprint }),
    away: redisAclVendor({ vendor: settings(nobody), connection: async () => as('admin', admin, nobody), fingerprint }),
    old: { tokenId: undefined, secret: as('app', hand) }, dead: as('app', 'never-was-one'), labels: false,
    tokens: async () => {
      const user = await client.acl('GETUSER', 'app') as unknown as unknown[]
      return (user[user.indexOf('passwords') + 1] as string[]).map((hash) => ({ tokenId: fingerprint(new Secret(`redis-acl:${hash}`)) }))
    }
  }
}
