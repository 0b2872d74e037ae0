// Rotations over HTTP for tests: the example vendor as a process, a service that may reach it, manifests, jobs and their steps.
import { once } from 'node:events'
import { mkdtempSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import type { Test } from 'tap'
import { createCredentialConsumer, createCredentialsService, loadOrMakeKey } from '../../kits/credentials/src/index.ts'
import { leaveFolder, noteCanary } from './left-behind.ts'
import { testService, type Answer, type TestService } from './service.ts'
import { smallVendor, type SmallVendor } from './small-vendor.ts'

type Context = Pick<Test, 'teardown'>
type Env = Record<string, string>
export const PATH = '/api/v1/credentials'
export const WHY = { reason: 'it is time' }

/** As the wire has it, as far as tests look at it. */
export interface Job {
  rotation_id: string
  state: string
  transition: number
  steps: string[]
  consumers: Array<{ consumer: string, distribute_status: string, proof_outcome: string | null, attempts: number }>
  failure: { probe: string, answer: { status: string, body?: string } | null } | null
  gate: { open: boolean, closed_by: Array<{ consumer: string | null, why: string }> }
  code?: string
}

export interface RotationWorld {
  vendor: SmallVendor
  service: TestService
  request: TestService['request']
  /** A manifest of the vendor's tokens, as the wire has it. */
  manifest: (consumers: readonly object[], more?: object) => object
  /** Puts a manifest and adopts a fresh token of the vendor. @returns the token's id and value */
  credential: (name: string, consumers?: readonly object[], more?: object, adopting?: object) => Promise<{ tokenId: string, value: string }>
  open: (name: string, body?: object) => Promise<Job>
  job: (name: string, job: Pick<Job, 'rotation_id'>) => Promise<Job>
  /** POSTs a step on the job as it is known, and waits for it. */
  step: (name: string, job: Pick<Job, 'rotation_id' | 'transition'>, kind: string, body?: object, headers?: Env) => Promise<Answer & { body: Job & Record<string, unknown> }>
  /** An access token of a new principal with these roles, as headers. */
  bearer: (...roles: string[]) => Promise<Env>
}

export const bearerOf = async (request: TestService['request'], ...roles: string[]): Promise<string> => {
  const { body: { principal_id: id } } = await request('POST', '/api/v1/principals', { name: 'x', kind: 'service', roles })
  return String((await request('POST', `/api/v1/principals/${String(id)}/tokens`, {})).body['token'])
}

export const rotationWorld = async (t: Context, env: Env = {}): Promise<RotationWorld> => {
  const vendor = await smallVendor(t)
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-accounts-'))
  t.teardown(() => leaveFolder(folder))
  const accounts = join(folder, 'accounts.json')
  noteCanary({ what: 'the token of a connection', text: vendor.connection.token, allowed: /accounts\.json$/ })
  writeFileSync(accounts, JSON.stringify({ minter: { secret: vendor.connection.token, hosts: [new URL(vendor.url).host] } }), { mode: 0o600 })
  const service = await testService(t, { env: { CHANCERY_OUTGOING_HTTP: 'loopback', CHANCERY_VENDOR_ACCOUNTS_FILE: accounts, ...env } })
  return rotationsOf(service, vendor)
}

/** The same on a service that runs already, which knows the vendor's connection as the account `minter`. */
export const rotationsOf = (service: TestService, vendor: SmallVendor): RotationWorld => {
  const request: TestService['request'] = (...asked) => service.request(...asked)
  const { url } = vendor
  const bearer = (what: string) => ({ authorization: `Bearer {{${what}}}` })
  const call = (method: string, path: string, what: string, expect: number) => ({ method, url: `${url}${path}`, headers: bearer(what), expect: [expect] })
  const manifest: RotationWorld['manifest'] = (consumers, more = {}) => ({
    vendor: {
      kind: 'http',
      authenticate: call('GET', '/account', 'value', 200),
      metadata: call('GET', '/oauth/authorizations/~', 'value', 200),
      may_mint: call('GET', '/account/permissions', 'connection', 200),
      mint: {
        call: { ...call('POST', '/oauth/authorizations', 'connection', 201), headers: { ...bearer('connection'), 'content-type': 'application/json' }, body: '{"description":"{{label}}"}' },
        secret: '/access_token/token', token_id: '/id'
      },
      list: { call: call('GET', '/oauth/authorizations', 'connection', 200), items: '', token_id: '/id', label: '/description', last_used_at: '/last_used_at' },
      revoke: call('DELETE', '/oauth/authorizations/{{token_id}}', 'connection', 200),
      refused_statuses: [401]
    },
    connection: { account: 'minter' },
    sensitivity: 'high', owner: { name: 'Canary Owner', email: 'canary.owner@example.org' }, lead_days: 7, consumers,
    ...more
  })
  const job: RotationWorld['job'] = async (name, { rotation_id: id }) => (await request('GET', `${PATH}/${name}/rotations/${id}`)).body as unknown as Job
  const expected = (answer: Answer, status: number): Answer => {
    if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.text}`)
    return answer
  }
  return {
    vendor,
    service,
    request,
    manifest,
    job,
    credential: async (name, consumers = [], more = {}, adopting = {}) => {
      expected(await request('PUT', `${PATH}/${name}`, { manifest: manifest(consumers, more), ...WHY }), 200)
      const { tokenId, secret } = await vendor.issue({ description: name })
      const value = secret.reveal()
      noteCanary({ what: 'a value of a credential', text: value })
      expected(await request('POST', `${PATH}/${name}/value`, { value, vendor_token_id: tokenId, ...WHY, ...adopting }), 200)
      return { tokenId, value }
    },
    open: async (name, body = {}) => expected(await request('POST', `${PATH}/${name}/rotations`, { ...WHY, ...body }), 201).body as unknown as Job,
    step: async (name, { rotation_id: id, transition }, kind, body = {}, headers = {}) =>
      await request('POST', `${PATH}/${name}/rotations/${id}/${kind}`, { ...WHY, ...body }, { 'if-match': `"${transition}"`, prefer: 'wait=30', ...headers }) as Answer & { body: Job & Record<string, unknown> },
    bearer: async (...roles) => ({ authorization: `Bearer ${await bearerOf(request, ...roles)}` })
  }
}

export interface OwnConsumer {
  name: string
  /** As a manifest names it. */
  subscriber: (of?: { required?: boolean }) => object
  /** Its healthcheck says 503. */
  unhealthy: boolean
  /** It waits so long before each answer. */
  slowMs: number
  /** The value that it uses. */
  value: (credential: string) => string | undefined
}

/** A consumer of the kit in this process, with its key registered. */
export const ownConsumer = async (t: Context, { service, request }: RotationWorld, name: string, credentials: readonly string[]): Promise<OwnConsumer> => {
  const folder = mkdtempSync(join(tmpdir(), 'chancery-test-own-'))
  t.teardown(() => leaveFolder(folder))
  const token = await bearerOf(request, `consumer:${name}`)
  const values = new Map<string, string>()
  const key = await loadOrMakeKey(join(folder, 'key.json'))
  const ours = createCredentialsService({ url: service.url, token, consumer: name })
  // The consumer does it as well, behind its start: nothing is to be distributed before.
  await ours.registerKey(key.publicJwk)
  const consumer = createCredentialConsumer({
    name, credentials, key, service: ours,
    use: ({ credential, value }) => {
      noteCanary({ what: 'a rotated value', text: value })
      values.set(credential, value)
    }
  })
  const server = createServer((incoming, response) => {
    const { pathname, searchParams } = new URL(incoming.url ?? '/', 'http://consumer')
    const answer = async () => {
      const body = await buffer(incoming)
      if (own.slowMs > 0) await new Promise((resolve) => { setTimeout(resolve, own.slowMs) })
      if (pathname !== '/health') return consumer.handlePush({ headers: incoming.headers, body })
      return own.unhealthy ? { status: 503, headers: {}, body: '' } : consumer.handleHealthcheck({ credential: searchParams.get('credential'), nonce: searchParams.get('nonce') })
    }
    void answer().then(({ status, headers, body }) => { response.writeHead(status, headers).end(body) })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(async () => {
    await consumer.stop()
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const own: OwnConsumer = {
    name, unhealthy: false, slowMs: 0, value: (credential) => values.get(credential),
    subscriber: ({ required = true } = {}) => ({ consumer: name, required, delivery: { kind: 'push', url: `${url}/deliveries` }, healthcheck: `${url}/health`, proof: { kind: 'possession' } })
  }
  await consumer.start()
  return own
}
