// What Chancery is told of the story's vendor and of those who use its token.
import type { DemoConsumer, DemoVendor } from './rotation-processes.ts'

const owner = { name: 'Demo', email: 'demo@example.test' }
const bearer = (what: 'value' | 'connection') => ({ authorization: `Bearer {{${what}}}` })

/** The token that mints is not rotated here: whoever wanted to would do it by hand. */
export const adminManifest = ({ url }: DemoVendor) => ({
  vendor: {
    kind: 'manual', instructions: 'Make a token with the scope global at the vendor.', refused_statuses: [401],
    authenticate: { method: 'GET', url: `${url}/account`, headers: bearer('value'), expect: [200] }
  },
  sensitivity: 'critical', owner, lead_days: 0, consumers: []
})

export const manifest = ({ url }: DemoVendor, admin: string, consumers: readonly DemoConsumer[]) => ({
  vendor: {
    kind: 'http',
    authenticate: { method: 'GET', url: `${url}/account`, headers: bearer('value'), expect: [200] },
    metadata: { method: 'GET', url: `${url}/oauth/authorizations/~`, headers: bearer('value'), expect: [200] },
    may_mint: { method: 'GET', url: `${url}/account/permissions`, headers: bearer('connection'), expect: [200] },
    mint: {
      call: {
        method: 'POST', url: `${url}/oauth/authorizations`, headers: { ...bearer('connection'), 'content-type': 'application/json' }, body: '{"description":"{{label}}"}', expect: [201]
      },
      secret: '/access_token/token', token_id: '/id', expires_at: '/expires_at'
    },
    list: {
      call: { method: 'GET', url: `${url}/oauth/authorizations`, headers: bearer('connection'), expect: [200] },
      items: '', token_id: '/id', label: '/description', last_used_at: '/last_used_at'
    },
    revoke: { method: 'DELETE', url: `${url}/oauth/authorizations/{{token_id}}`, headers: bearer('connection'), expect: [200] },
    refused_statuses: [401]
  },
  connection: { credential: admin },
  sensitivity: 'high', owner, lead_days: 7,
  // Three are given it, one comes for it; that one can be done without.
  consumers: consumers.map(({ name, pushUrl, healthcheck }, index) => ({
    consumer: name, required: index < 3, delivery: index < 3 ? { kind: 'push', url: pushUrl } : { kind: 'pull' }, healthcheck, proof: { kind: 'possession' }
  }))
})
