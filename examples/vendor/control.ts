// The hand behind the vendor: order faults, make and kill tokens, and see what was written.
import type { Answer } from './api.ts'
import type { Authorizations } from './authorizations.ts'
import { calls, kinds, type Call, type Fault, type Faults } from './faults.ts'

/**
 * `GET /control`; `POST /control/faults {call, kind, ms?, times?}`, `DELETE /control/faults`;
 * `POST /control/tokens {description, scope?}`, `DELETE /control/tokens/{id}`.
 */
export const createControl = ({ authorizations, faults }: { authorizations: Authorizations, faults: Faults }) =>
  (method: string, path: string, body: Record<string, unknown>): Answer => {
    const [, token] = /^\/control\/tokens\/([^/]+)$/.exec(path) ?? []
    switch (`${method} ${token === undefined ? path : '/control/tokens/{id}'}`) {
      case 'GET /control': return [200, {
        writes: authorizations.writes(),
        tokens: authorizations.list().map(({ id, description, scope, lastUsedAt }) => ({ id, description, scope, last_used_at: lastUsedAt?.toISOString() ?? null }))
      }]
      case 'POST /control/faults': {
        const { call, kind, ms = 0, times = 1 } = body
        if (!calls.includes(call as Call) || !kinds.includes(kind as Fault['kind'])) return [400, { error: `call is one of ${calls.join(', ')}; kind is one of ${kinds.join(', ')}` }]
        faults.order(call as Call, { kind: kind as Fault['kind'], ms: Number(ms) }, Number(times))
        return [204, undefined]
      }
      case 'DELETE /control/faults':
        faults.clear()
        return [204, undefined]
      case 'POST /control/tokens': {
        const { description = 'by hand', scope = 'read' } = body
        const made = authorizations.make({ description: String(description), scope: scope === 'global' ? 'global' : 'read' })
        return [201, { id: made.id, token: made.token }]
      }
      case 'DELETE /control/tokens/{id}': return authorizations.kill(token ?? '') ? [204, undefined] : [404, { error: 'there is no such token' }]
      default: return [404, { error: 'there is no such path' }]
    }
  }
