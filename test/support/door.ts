// The HTTP application with chosen routes, for tests that inject requests: the door is real, who asks is chosen.
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import type { Test } from 'tap'
import { isPassing } from '../../infra/postgres/errors.ts'
import { uuidIds } from '../../infra/ids.ts'
import type { Access } from '../../src/commands/access/access.ts'
import { allows, type Role } from '../../src/domain/principal/roles.ts'
import { buildApp, type AppOptions } from '../../src/http/app.ts'

/** The principal that every bearer token of the form `role,role` belongs to. */
const TEST_PRINCIPAL = '00000000-0000-5000-8000-000000000001'

/** Judges `Authorization: Bearer superadmin` (or `auditor,operator`, or `none`) by the roles it names. */
const accessByName: Access = {
  judge: async (token, permission) => {
    if (token === undefined || token === '') return { outcome: 'unauthenticated' }
    const roles = new Set((token === 'none' ? [] : token.split(',')) as Role[])
    const caller = { principalId: TEST_PRINCIPAL, kind: 'operator' as const, tokenId: TEST_PRINCIPAL, roles }
    return { outcome: permission === undefined || allows(roles, permission) ? 'allowed' : 'forbidden', caller }
  },
  noteRefusal: async () => {}
}

/** Builds the app with these routes; closed at the test's end. */
export const testDoor = async (t: Test, routes: readonly FastifyPluginAsyncTypebox[], overrides: Partial<AppOptions> = {}) => {
  const app = await buildApp({
    routes,
    access: accessByName,
    ids: uuidIds,
    clock: { now: () => new Date() },
    keys: { fingerprint: (route, body) => Buffer.from(`${route} ${body}`).toString('base64url').slice(0, 128) },
    positions: { waitFor: async () => undefined },
    readModelsAway: isPassing,
    maxEventLoopDelay: 0,
    ...overrides
  })
  t.teardown(() => app.close())
  await app.ready()
  return app
}
