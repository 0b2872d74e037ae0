// The page behind a walkthrough link: three small files under a strict CSP, the same for everybody.
import { readFile } from 'node:fs/promises'
import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'

const files = {
  '/enrol': { name: 'enrol.html', type: 'text/html; charset=utf-8' },
  '/enrol/enrol.js': { name: 'enrol.js', type: 'text/javascript; charset=utf-8' },
  '/enrol/enrol.css': { name: 'enrol.css', type: 'text/css; charset=utf-8' }
} as const

/** Stricter than the door's: nothing but the page's own two files and calls to this origin. */
const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; " +
  "frame-ancestors 'none'; require-trusted-types-for 'script'"

export const enrolPage = (): FastifyPluginAsyncTypebox => async (app) => {
  for (const [url, { name, type }] of Object.entries(files)) {
    const content = await readFile(new URL(`../enrol-page/${name}`, import.meta.url))
    app.get(url, { config: { access: 'public' }, schema: { hide: true } }, async (_request, reply) => {
      void reply.headers({
        'content-type': type, 'content-security-policy': POLICY, 'cache-control': 'no-cache',
        'permissions-policy': 'publickey-credentials-create=(self)'
      })
      return content
    })
  }
}
