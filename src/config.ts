// The only reader of the environment: a frozen Config, or every mistake in one message.
import { existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parseEnv } from 'node:util'
import { envSchema } from 'env-schema'
import { StartError } from './start-error.ts'
import { commandLineNames, settingsSchema, type ProcessRole, type Settings } from './config-schema.ts'

export interface Config {
  eventStoreUrl: string | undefined
  postgresUrl: string | undefined
  redisUrl: string | undefined
  /** Key of the lifecycle stream, its namespace in front. */
  lifecycleStream: string
  lifecycleRetentionMs: number
  /** Key of the stream that tells consumers of credentials to fetch, its namespace in front. */
  rotationStream: string
  /** What the machine's own tools are given: PATH, and the way through a proxy if there is one. */
  toolEnvironment: Readonly<Record<string, string>>
  http: { host: string, port: number, tls: { certFile: string, keyFile: string } | undefined, trustedProxies: readonly string[] }
  /** Absolute. */
  dataDir: string
  /** Empty for none. */
  namespace: string
  /** Without a slash at its end. */
  publicUrl: string
  apiProcesses: 'single' | 'many'
  roles: ReadonlySet<ProcessRole>
  /** Where the master key comes from; neither: the data folder. */
  masterKey: string | undefined
  masterKeyFile: string | undefined
  smtpUrl: string | undefined
  mailFrom: string
  ghostGraceMs: number
  linkTtlMs: number
  /** From a deletion to its erasure. */
  purgeAfterMs: number
  accounts: { url: string, token: string } | undefined
  /** What requests to vendors and consumers may reach. */
  outgoing: { allow: readonly string[], plainLoopback: boolean }
  vendorAccountsFile: string | undefined
  freescout: { url: string, token: string } | undefined
  proofMaxAgeMs: number
  valueGraceMs: number
  logLevel: Settings['CHANCERY_LOG_LEVEL']
  failpoint: string | undefined
}

type Env = Readonly<Record<string, string | undefined>>
type Problem = string

/**
 * Reads the settings. Throws StartError naming every setting that is wrong; values are not repeated, since they may
 * be secrets.
 * @param env default: the process's environment on top of the file `.env` of the working folder
 */
export const readConfig = (env?: Env): Config => {
  const { settings, problems } = check(env)
  if (settings === undefined) throw asError(problems)
  const rules = [...problems, ...together(settings)]
  if (rules.length > 0) throw asError(rules)
  return freeze(toConfig(settings, forTools(env ?? environment())))
}

const toolNames = ['PATH', 'http_proxy', 'https_proxy', 'no_proxy', 'HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY']
const forTools = (env: Env): Record<string, string> =>
  Object.fromEntries(toolNames.flatMap((name) => env[name] === undefined ? [] : [[name, env[name]]]))

const asError = (problems: readonly Problem[]): StartError =>
  new StartError(problems.length === 1 ? 'One setting is wrong:' : `${problems.length} settings are wrong:`,
    [...problems, 'all settings, with their defaults: .env.example'])

interface AjvError { instancePath: string, keyword: string, params: Record<string, unknown>, message?: string }

const check = (env: Env | undefined): { settings?: Settings, problems: Problem[] } => {
  const known = Object.keys(settingsSchema.properties)
  const raw = Object.fromEntries(Object.entries(env ?? environment())
    .filter(([name, value]) => name.startsWith('CHANCERY_') && value !== undefined && value !== ''))
  const unknown = Object.keys(raw).filter((name) => !known.includes(name) && !commandLineNames.includes(name))
  const problems = unknown.map((name) => `${name}: there is no such setting; did you mean ${nearest(name, known)}?`)
  try {
    return { settings: envSchema<Settings>({ schema: { ...settingsSchema }, data: raw, env: false }), problems }
  } catch (error) {
    const { errors } = error as { errors?: AjvError[] }
    if (errors === undefined) throw error
    return { problems: [...problems, ...errors.map(inWords)] }
  }
}

/** The process's environment on top of the file `.env`; also what the command line reads its few names from. */
export const environment = (): Env => ({ ...(existsSync('.env') ? parseEnv(readFileSync('.env', 'utf8')) : {}), ...process.env })

const inWords = ({ instancePath, keyword, params, message }: AjvError): Problem => {
  const name = instancePath.slice(1)
  const schema = (settingsSchema.properties as Record<string, { description?: string, examples?: string[], default?: string | number }>)[name]
  const example = schema?.examples?.[0] ?? schema?.default
  const rule = keyword === 'enum'
    ? `must be one of ${(params['allowedValues'] as string[]).join(', ')}`
    : keyword === 'pattern' ? 'has not the form that is expected' : message ?? 'is wrong'
  return `${name} ${rule}${example === undefined ? '' : `; for example ${example}`} (${schema?.description ?? ''})`
}

/** Rules over several settings. */
const together = (settings: Settings): Problem[] => {
  const problems: Problem[] = []
  const pair = (one: keyof Settings, other: keyof Settings) => {
    if ((settings[one] === undefined) !== (settings[other] === undefined)) problems.push(`${one} and ${other} go together: set both or neither`)
  }
  pair('CHANCERY_TLS_CERT', 'CHANCERY_TLS_KEY')
  pair('CHANCERY_ACCOUNTS_URL', 'CHANCERY_ACCOUNTS_TOKEN')
  pair('CHANCERY_FREESCOUT_URL', 'CHANCERY_FREESCOUT_TOKEN')
  if (settings.CHANCERY_MASTER_KEY !== undefined && settings.CHANCERY_MASTER_KEY_FILE !== undefined) {
    problems.push('CHANCERY_MASTER_KEY and CHANCERY_MASTER_KEY_FILE exclude each other: set one')
  }
  for (const proxy of proxies(settings)) {
    if (!isNetwork(proxy)) problems.push(`CHANCERY_TRUSTED_PROXIES: "${proxy}" is neither an address nor a CIDR`)
  }
  if (!isLoopback(settings.CHANCERY_HTTP_HOST) && settings.CHANCERY_TLS_CERT === undefined && proxies(settings).length === 0) {
    problems.push('CHANCERY_HTTP_HOST is not a loopback address: access tokens would cross the network in clear. ' +
      'Set CHANCERY_TLS_CERT and CHANCERY_TLS_KEY, or name the TLS proxy in front in CHANCERY_TRUSTED_PROXIES')
  }
  for (const name of ['CHANCERY_PUBLIC_URL', 'CHANCERY_ACCOUNTS_URL'] as const) {
    const url = settings[name]
    if (url === undefined || !URL.canParse(url)) continue
    const { protocol, hostname, pathname } = new URL(url)
    if (protocol === 'http:' && !isLoopback(hostname.replace(/^\[|\]$/g, ''))) problems.push(`${name} must be https: what goes there opens accounts, and would cross the network in clear`)
    if (pathname !== '/') problems.push(`${name} may hold no path: only the address of the service`)
  }
  const { CHANCERY_PUBLIC_URL: publicUrl } = settings
  if (publicUrl !== undefined && (!URL.canParse(publicUrl) || isIP(new URL(publicUrl).hostname.replace(/^\[|\]$/g, '')) !== 0)) {
    problems.push('CHANCERY_PUBLIC_URL needs a host name: passkeys cannot belong to an IP address; http://localhost:8420 works on one machine')
  }
  return problems
}

const proxies = (settings: Settings): string[] => listed(settings.CHANCERY_TRUSTED_PROXIES)

const listed = (text = ''): string[] => text.split(',').map((part) => part.trim()).filter((part) => part !== '')

const isNetwork = (text: string): boolean => {
  const [address = '', bits, ...rest] = text.split('/')
  const version = isIP(address)
  return version !== 0 && rest.length === 0 && (bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (version === 4 ? 32 : 128)))
}

/** True for what only this machine can reach. */
const isLoopback = (host: string): boolean => host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

const toConfig = (settings: Settings, toolEnvironment: Config['toolEnvironment']): Config => ({
  eventStoreUrl: settings.CHANCERY_EVENTSTORE_URL,
  postgresUrl: settings.CHANCERY_POSTGRES_URL,
  redisUrl: settings.CHANCERY_REDIS_URL,
  lifecycleStream: settings.CHANCERY_NAMESPACE === undefined ? settings.CHANCERY_LIFECYCLE_STREAM : `${settings.CHANCERY_NAMESPACE}:${settings.CHANCERY_LIFECYCLE_STREAM}`,
  rotationStream: settings.CHANCERY_NAMESPACE === undefined ? 'credential:rotation_events' : `${settings.CHANCERY_NAMESPACE}:credential:rotation_events`,
  lifecycleRetentionMs: settings.CHANCERY_LIFECYCLE_RETENTION_DAYS * 86_400_000,
  toolEnvironment,
  http: {
    host: settings.CHANCERY_HTTP_HOST,
    port: settings.CHANCERY_HTTP_PORT,
    tls: settings.CHANCERY_TLS_CERT === undefined || settings.CHANCERY_TLS_KEY === undefined
      ? undefined
      : { certFile: settings.CHANCERY_TLS_CERT, keyFile: settings.CHANCERY_TLS_KEY },
    trustedProxies: proxies(settings)
  },
  dataDir: resolve(settings.CHANCERY_DATA_DIR),
  namespace: settings.CHANCERY_NAMESPACE ?? '',
  publicUrl: (settings.CHANCERY_PUBLIC_URL ?? `http://localhost:${settings.CHANCERY_HTTP_PORT}`).replace(/\/+$/, ''),
  apiProcesses: settings.CHANCERY_API_PROCESSES,
  roles: new Set(settings.CHANCERY_ROLES.split(',') as ProcessRole[]),
  masterKey: settings.CHANCERY_MASTER_KEY,
  masterKeyFile: settings.CHANCERY_MASTER_KEY_FILE,
  smtpUrl: settings.CHANCERY_SMTP_URL,
  mailFrom: settings.CHANCERY_MAIL_FROM,
  ghostGraceMs: settings.CHANCERY_GHOST_GRACE_MS,
  linkTtlMs: settings.CHANCERY_LINK_TTL_HOURS * 3_600_000,
  purgeAfterMs: Math.round(settings.CHANCERY_PURGE_AFTER_DAYS * 86_400_000),
  accounts: settings.CHANCERY_ACCOUNTS_URL === undefined || settings.CHANCERY_ACCOUNTS_TOKEN === undefined
    ? undefined
    : { url: settings.CHANCERY_ACCOUNTS_URL.replace(/\/+$/, ''), token: settings.CHANCERY_ACCOUNTS_TOKEN },
  outgoing: { allow: listed(settings.CHANCERY_OUTGOING_ALLOW), plainLoopback: settings.CHANCERY_OUTGOING_HTTP === 'loopback' },
  vendorAccountsFile: settings.CHANCERY_VENDOR_ACCOUNTS_FILE,
  freescout: settings.CHANCERY_FREESCOUT_URL === undefined || settings.CHANCERY_FREESCOUT_TOKEN === undefined
    ? undefined
    : { url: settings.CHANCERY_FREESCOUT_URL.replace(/\/+$/, ''), token: settings.CHANCERY_FREESCOUT_TOKEN },
  proofMaxAgeMs: Math.round(settings.CHANCERY_PROOF_MAX_AGE_MINUTES * 60_000),
  valueGraceMs: Math.round(settings.CHANCERY_VALUE_GRACE_HOURS * 3_600_000),
  logLevel: settings.CHANCERY_LOG_LEVEL,
  failpoint: settings.CHANCERY_FAILPOINT
})

const freeze = (config: Config): Config => {
  Object.freeze(config.http.trustedProxies)
  Object.freeze(config.http)
  Object.freeze(config.outgoing.allow)
  Object.freeze(config.outgoing)
  Object.freeze(config.toolEnvironment)
  return Object.freeze(config)
}

const nearest = (name: string, known: readonly string[]): string => {
  const ranked = known.map((candidate) => ({ candidate, steps: distance(name, candidate) })).sort((a, b) => a.steps - b.steps)
  return ranked[0]?.candidate ?? name
}

/** Levenshtein's distance. */
const distance = (a: string, b: string): number => {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i)
  for (const [i, left] of [...a].entries()) {
    const next = [i + 1]
    for (const [j, right] of [...b].entries()) {
      next.push(Math.min((next[j] ?? 0) + 1, (row[j + 1] ?? 0) + 1, (row[j] ?? 0) + (left === right ? 0 : 1)))
    }
    row = next
  }
  return row[b.length] ?? 0
}
