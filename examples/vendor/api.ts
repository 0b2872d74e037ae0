// The vendor's API: who am I, what may I, and authorizations to list, mint and revoke.
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Authorization, Authorizations } from './authorizations.ts'
import type { Call, Faults } from './faults.ts'

export type Answer = [status: number, body: unknown]

interface Route {
  call: Call
  /** True: only for tokens with the scope `global`. */
  minting: boolean
  act: (caller: Authorization, body: Record<string, unknown>) => Answer
}

/** As the lists and the answer to minting show an authorization; its token only where it is new. */
const shown = ({ id, description, scope, token, createdAt, expiresAt, lastUsedAt }: Authorization, isNew: boolean): object => ({
  id, description, scope: [scope], created_at: createdAt.toISOString(), expires_at: expiresAt?.toISOString() ?? null, last_used_at: lastUsedAt?.toISOString() ?? null,
  access_token: { id, token: isNew ? token : `${token.slice(0, 4)}…` }
})

const problem = (status: number, id: string, message: string): Answer => [status, { id, message }]

export const createApi = ({ authorizations, faults }: { authorizations: Authorizations, faults: Faults }) => {
  const routeOf = (method: string, path: string): Route | undefined => {
    const [, id] = /^\/oauth\/authorizations\/([^/]+)$/.exec(path) ?? []
    switch (`${method} ${id === undefined ? path : '/oauth/authorizations/{id}'}`) {
      case 'GET /account': return { call: 'authenticate', minting: false, act: (caller) => [200, { id: caller.id, email: 'robot@vendor.example' }] }
      case 'GET /account/permissions': return { call: 'may_mint', minting: true, act: () => [200, { permissions: ['authorizations'] }] }
      case 'GET /oauth/authorizations': return { call: 'list', minting: true, act: () => [200, authorizations.list().map((one) => shown(one, false))] }
      case 'GET /oauth/authorizations/{id}': return id === '~'
        ? { call: 'metadata', minting: false, act: (caller) => [200, shown(caller, false)] }
        : undefined
      case 'POST /oauth/authorizations': return {
        call: 'mint',
        minting: true,
        act: (_, { description, scope, expires_in: expiresIn }) => typeof description !== 'string' || description === ''
          ? problem(422, 'invalid_params', 'description is required.')
          : [201, shown(authorizations.mint({ description, scope: Array.isArray(scope) && scope.includes('global') ? 'global' : 'read', expiresIn: typeof expiresIn === 'number' ? expiresIn : undefined }), true)]
      }
      case 'DELETE /oauth/authorizations/{id}': return {
        call: 'revoke',
        minting: true,
        act: () => {
          const gone = authorizations.revoke(decodeURIComponent(id ?? ''))
          return gone === undefined ? problem(404, 'not_found', "Couldn't find that authorization.") : [200, shown(gone, false)]
        }
      }
      default: return undefined
    }
  }

  return async (request: IncomingMessage, response: ServerResponse, path: string, body: Record<string, unknown>): Promise<void> => {
    const send = ([status, content]: Answer): void => { response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(content)) }
    const route = routeOf(request.method ?? '', path)
    if (route === undefined) return send(problem(404, 'not_found', 'There is no such endpoint.'))
    const honest = (): Answer => {
      const [, token = ''] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? []
      const caller = authorizations.use(token)
      if (caller === undefined) return problem(401, 'unauthorized', 'Invalid credentials provided.')
      if (route.minting && caller.scope !== 'global') return problem(403, 'forbidden', 'This token has no scope to manage authorizations.')
      return route.act(caller, body)
    }
    const fault = faults.next(route.call)
    switch (fault?.kind) {
      case undefined: return send(honest())
      case 'error': return send(problem(503, 'maintenance', 'The API is undergoing maintenance.'))
      case 'no': return send(problem(422, 'invalid_params', 'This cannot be done now.'))
      case 'timeout': return
      case 'applied_unanswered':
        honest()
        response.destroy()
        return
      case 'applied_timeout':
        honest()
        return
      case 'garbled':
        response.writeHead(honest()[0], { 'content-type': 'text/html' }).end('<p>It worked')
        return
      case 'slow':
        await new Promise((resolve) => { setTimeout(resolve, fault.ms) })
        send(honest())
    }
  }
}
