// The settings of the directory, from its environment.

export interface DirectorySettings {
  postgresUrl: string
  redisUrl: string
  chanceryUrl: string
  /** Access token of a principal with the role `lobby-service`. */
  chanceryToken: string
  /** Name of the consumer, and of its group. */
  consumer: string
  stream: string
  /** A receipt is overdue after so many ms. */
  overdueMs: number
  leaseMs: number
  host: string
  port: number
}

/** @throws Error that names every setting that is missing or is no number */
export const readSettings = (env: Readonly<Record<string, string | undefined>>): DirectorySettings => {
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
  const settings: DirectorySettings = {
    postgresUrl: text('DIRECTORY_POSTGRES_URL'),
    redisUrl: text('DIRECTORY_REDIS_URL'),
    chanceryUrl: text('DIRECTORY_CHANCERY_URL'),
    chanceryToken: text('DIRECTORY_CHANCERY_TOKEN'),
    consumer: text('DIRECTORY_CONSUMER', 'race-name-directory'),
    stream: text('DIRECTORY_STREAM', 'user:lifecycle_events'),
    overdueMs: number('DIRECTORY_OVERDUE_MS', 60_000),
    leaseMs: number('DIRECTORY_LEASE_MS', 10_000),
    host: text('DIRECTORY_HOST', '127.0.0.1'),
    port: number('DIRECTORY_PORT', 8430)
  }
  if (problems.length > 0) throw new Error(problems.join('; '))
  return settings
}
