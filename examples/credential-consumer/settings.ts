// The settings of the consumer, from its environment.

export interface ConsumerSettings {
  /** As in manifests, and in the role `consumer:{name}` of the token's principal. */
  name: string
  credentials: string[]
  pull: boolean
  chanceryUrl: string
  chanceryToken: string
  /** Key and values are kept here. */
  dataDir: string
  /** Only to pull: without one it polls. */
  redisUrl: string | undefined
  stream: string
  pollMs: number
  /** What it needs its first credential for: `GET` with `Authorization: Bearer`. */
  useUrl: string | undefined
  /** It is used so often; 0: only when asked to. */
  useEveryMs: number
  host: string
  port: number
  /** Faults are told here, on a port of its own. Undefined: none can be. */
  controlPort: number | undefined
}

/** @throws Error that names every setting that is missing or wrong */
export const readSettings = (env: Readonly<Record<string, string | undefined>>): ConsumerSettings => {
  const problems: string[] = []
  const text = (name: string, otherwise?: string): string => {
    const value = env[name] ?? otherwise
    if (value === undefined) problems.push(`${name} is missing`)
    return value ?? ''
  }
  const number = (name: string, otherwise: number): number => {
    const value = Number(env[name] ?? otherwise)
    if (!Number.isInteger(value) || value < 0) problems.push(`${name} is no number`)
    return value
  }
  const mode = text('CONSUMER_MODE', 'push')
  if (mode !== 'push' && mode !== 'pull') problems.push('CONSUMER_MODE is push or pull')
  const settings: ConsumerSettings = {
    name: text('CONSUMER_NAME'),
    credentials: text('CONSUMER_CREDENTIALS').split(',').map((name) => name.trim()).filter((name) => name !== ''),
    pull: mode === 'pull',
    chanceryUrl: text('CONSUMER_CHANCERY_URL'),
    chanceryToken: text('CONSUMER_CHANCERY_TOKEN'),
    dataDir: text('CONSUMER_DATA_DIR'),
    redisUrl: env['CONSUMER_REDIS_URL'],
    stream: text('CONSUMER_STREAM', 'credential:rotation_events'),
    pollMs: number('CONSUMER_POLL_MS', 60_000),
    useUrl: env['CONSUMER_USE_URL'],
    useEveryMs: number('CONSUMER_USE_EVERY_MS', 0),
    host: text('CONSUMER_HOST', '127.0.0.1'),
    port: number('CONSUMER_PORT', 0),
    controlPort: env['CONSUMER_CONTROL_PORT'] === undefined ? undefined : number('CONSUMER_CONTROL_PORT', 0)
  }
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}
