// Before anything of the body is read: whose token is it, and may he? Decided from the streams (decision 2).
import fp from 'fastify-plugin'
import type { FastifyRequest } from 'fastify'
import { refuse } from '../../domain/codes.ts'
import { LogUnavailable } from '../../log-errors.ts'
import { forbid } from '../forbid.ts'

export default fp(async (app) => {
  const { access } = app.door
  app.decorateRequest('caller', undefined)

  app.addHook('onRequest', async (request, reply) => {
    const { config } = request.routeOptions
    if (config.access === 'public' || request.is404) return
    const { permission } = config
    const token = bearer(request)
    if (config.loopbackOpen === true && token === undefined && isLoopback(request.ip)) return

    const verdict = await access.judge(token, permission).catch((error: unknown) => {
      if (config.auditFailed !== true || !(error instanceof LogUnavailable)) throw error
      return refuse('account_audit_failed', 'The event store was not reached, so no account was deleted. Ask again later.')
    })
    if (verdict.outcome === 'unauthenticated') {
      void reply.header('www-authenticate', 'Bearer realm="chancery"')
      return refuse('unauthenticated', token === undefined
        ? 'Send an access token: Authorization: Bearer chy_…'
        : 'The access token is not valid here: unknown, mistyped, revoked or expired.')
    }
    request.caller = verdict.caller
    if (verdict.outcome === 'forbidden' && permission !== undefined) {
      await forbid(request, permission, `This needs the right ${permission}, which none of your roles carries.`)
    }
  })
})

/** The token that was sent: empty if what was sent is none. */
export const bearer = ({ headers: { authorization } }: Pick<FastifyRequest, 'headers'>): string | undefined =>
  authorization === undefined ? undefined : /^Bearer +(\S+)$/i.exec(authorization)?.[1] ?? ''

/** 127.0.0.0/8 and ::1, also mapped. */
export const isLoopback = (ip: string): boolean => /^(::ffff:)?127\.|^::1$/.test(ip)
