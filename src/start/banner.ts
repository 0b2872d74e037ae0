// What the terminal shows of a service that is ready, or that could not start.
import { relative } from 'node:path'
import { explain, StartError } from '../start-error.ts'
import type { Config } from '../config.ts'
import type { Service } from './service.ts'

/** Address, stores, the token at the first start, and three lines to paste. */
export const banner = (config: Config, { url, firstToken }: Pick<Service, 'url' | 'firstToken'>): string => {
  const below = relative(process.cwd(), config.dataDir)
  const folder = below === '' || below.startsWith('..') ? config.dataDir : below
  const tokenFile = `${folder}/superadmin.token`
  const where = (own: string | undefined) => own === undefined ? `local, in ${folder}/` : 'as configured'
  return [
    `Chancery is ready at ${url}  (its API: ${url}/docs)`,
    `  event store ${where(config.eventStoreUrl)}; Postgres ${where(config.postgresUrl)}${config.roles.has('publisher') ? `; Redis ${where(config.redisUrl)}` : ''}; logs in ${folder}/log/`,
    ...(firstToken === undefined
      ? []
      : ['', `The superadmin's token, shown this once; it is also in ${tokenFile}:`, `  ${firstToken}`,
          ...(config.masterKey === undefined && config.masterKeyFile === undefined ? [`Keep a copy of ${folder}/master.key: without it no sealed name or address can be read again.`] : [])]),
    '',
    'Three lines to paste into another terminal: take the token, invite a tester, list the testers.',
    `  TOKEN=$(cat ${tokenFile})`,
    `  curl -s ${url}/api/v1/console/beta/testers -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d '{"email":"ada@example.com"}'`,
    `  sleep 1; curl -s ${url}/api/v1/console/beta/testers -H "Authorization: Bearer $TOKEN"`,
    '',
    'Ctrl-C stops everything.',
    ''
  ].join('\n')
}

/** One clear message; a stack trace is for the log file. */
export const failure = (error: unknown): string => {
  if (error instanceof StartError) return `${explain(error)}\n`
  const { message, code } = error as NodeJS.ErrnoException
  return `Chancery could not start: ${message === '' ? code ?? 'unknown' : message}\n  - set CHANCERY_LOG_LEVEL=debug and start again for more\n`
}
