// Manifests to fill in, one for each kind of vendor: what `chancery credentials template` prints.
import { Failure } from '../failures.ts'

const call = (method: string, path: string, expect: number[], more: object = {}) => ({ method, url: `https://api.vendor.example${path}`, ...more, expect })
const asValue = { headers: { authorization: 'Bearer {{value}}' } }
const asConnection = { headers: { authorization: 'Bearer {{connection}}' } }

/** `{{value}}` is the credential, `{{connection}}` what mints and revokes; `{{label}}` finds ours again in the vendor's list. */
const http = {
  kind: 'http',
  authenticate: call('GET', '/whoami', [200], asValue),
  metadata: call('GET', '/tokens/current', [200], asValue),
  may_mint: call('GET', '/permissions/mint', [200], asConnection),
  mint: {
    call: call('POST', '/tokens', [200, 201], { headers: { ...asConnection.headers, 'content-type': 'application/json' }, body: '{"description":"{{label}}"}' }),
    secret: '/token', token_id: '/id'
  },
  list: { call: call('GET', '/tokens', [200], asConnection), items: '', token_id: '/id', label: '/description' },
  revoke: call('DELETE', '/tokens/{{token_id}}', [200, 204], asConnection),
  refused_statuses: [401]
}

const vendors: Readonly<Record<string, { vendor: object, connection?: object }>> = {
  http: { vendor: http, connection: { account: 'vendor-admin' } },
  'postgres-role': { vendor: { kind: 'postgres-role', group: 'app', address: 'postgres://db.example:5432/app' }, connection: { account: 'postgres-admin' } },
  'redis-acl': { vendor: { kind: 'redis-acl', user: 'app', address: 'rediss://cache.example:6379' }, connection: { account: 'redis-admin' } },
  'chancery-token': { vendor: { kind: 'chancery-token', principal_id: '00000000-0000-4000-8000-000000000000' } },
  manual: {
    vendor: {
      kind: 'manual', instructions: 'Make a new key at https://console.vendor.example/keys; paste it when you distribute. Delete the old one there when you revoke.',
      authenticate: call('GET', '/whoami', [200], asValue), metadata: call('GET', '/tokens/current', [200], asValue), refused_statuses: [401]
    }
  }
}

export const vendorKinds = Object.keys(vendors)

/** A whole manifest for a kind of vendor, as JSON text that the service takes as it is. Throws Failure `usage` for an unknown kind. */
export const template = (kind: string): string => {
  const chosen = vendors[kind]
  if (chosen === undefined) throw new Failure('usage', `There is no kind of vendor "${kind}". There are: ${vendorKinds.join(', ')}.`)
  return JSON.stringify({
    ...chosen,
    sensitivity: 'high',
    owner: { name: 'Billing team', email: 'billing@example.com' },
    lifetime_days: 90,
    lead_days: 14,
    consumers: [
      { consumer: 'billing', required: true, delivery: { kind: 'push', url: 'https://billing.example/credentials' }, healthcheck: 'https://billing.example/health', proof: { kind: 'possession' } },
      { consumer: 'reports', required: false, delivery: { kind: 'pull' }, healthcheck: 'https://reports.example/health', proof: { kind: 'possession' } }
    ]
  }, undefined, 2)
}
