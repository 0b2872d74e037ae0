// What must be known of a Redis before a password is added to one of its users: who may, and whether it would be kept.
import type { Ask } from './redis-session.ts'
import { SessionFailure } from './session-failure.ts'

export interface RedisFacts {
  /** Whom the connection is. */
  connection: string
  /** Absent if there is no such user. `hashes`: SHA-256 of each of its passwords, in hex. */
  user: { on: boolean, nopass: boolean, hashes: string[] } | undefined
  /** The command by which it keeps its users over a restart; undefined if it can keep none (decision 35). */
  keeps: 'ACL SAVE' | 'CONFIG REWRITE' | undefined
  /** Commands that the connection may not run, of those that are needed. */
  forbidden: string[]
  replica: boolean
  replicas: number
  cluster: boolean
}

/** @throws SessionFailure */
export const factsOf = async (ask: Ask, user: string): Promise<RedisFacts> => {
  const connection = String(await ask('ACL', 'WHOAMI'))
  const found = await userOf(ask, user)
  const info = await infoOf(ask)
  const aclFile = pairs(await ask('CONFIG', 'GET', 'aclfile')).get('aclfile') ?? ''
  const keeps = aclFile !== '' ? 'ACL SAVE' : (info.get('config_file') ?? '') !== '' ? 'CONFIG REWRITE' : undefined
  const needed: Array<[string, ...string[]]> = [['acl', 'setuser', user, `#${'0'.repeat(64)}`], ...keeps === undefined ? [] : [keeps.toLowerCase().split(' ') as [string, string]]]
  const forbidden: string[] = []
  for (const command of needed) if (!await mayRun(ask, connection, command)) forbidden.push(command.slice(0, 2).join(' ').toUpperCase())
  return {
    connection, user: found, keeps, forbidden,
    replica: info.get('role') === 'slave', replicas: Number(info.get('connected_slaves') ?? 0), cluster: info.get('cluster_enabled') === '1'
  }
}

/** Why no password of this user can be rotated here, in sentences; none if it can. */
export const problemsOf = (facts: RedisFacts, user: string): string[] => {
  const { connection, user: found, keeps, forbidden, replica, replicas, cluster } = facts
  const problems: string[] = []
  if (found === undefined) problems.push(`Redis has no user ${user}: make it first (ACL SETUSER).`)
  if (found?.nopass === true) problems.push(`User ${user} takes every password (nopass): give it one first, else nothing that is revoked is ever refused.`)
  if (found?.on === false) problems.push(`User ${user} is switched off (ACL SETUSER ${user} on).`)
  if (connection === user) problems.push(`The connection is ${user} itself: a credential cannot rotate itself, give the connection a user of its own.`)
  if (keeps === undefined) {
    problems.push('This Redis can keep no password over a restart: it has neither an ACL file (ACL SAVE) nor a configuration file (CONFIG REWRITE). Set aclfile, or start it with a file.')
  }
  for (const command of forbidden) problems.push(`The connection ${connection} may not run ${command}.`)
  if (replica) problems.push('This Redis is a replica: the address and the connection must name the master.')
  if (replicas > 0 || cluster) problems.push('Users are not copied to replicas or other nodes of a cluster: after a fail-over the new password would be unknown. Rotate by `manual` there, node by node.')
  return problems
}

/** @throws SessionFailure */
export const userOf = async (ask: Ask, user: string): Promise<RedisFacts['user']> => {
  const answer = await ask('ACL', 'GETUSER', user)
  if (answer === null) return undefined
  const fields = pairs(answer)
  const list = (name: string): string[] => {
    const value = fields.get(name)
    return Array.isArray(value) ? value.map(String) : []
  }
  const flags = list('flags')
  return { on: flags.includes('on'), nopass: flags.includes('nopass'), hashes: list('passwords') }
}

const infoOf = async (ask: Ask): Promise<ReadonlyMap<string, string>> => {
  const sections = await Promise.all(['server', 'replication', 'cluster'].map((section) => ask('INFO', section)))
  return new Map(sections.flatMap((text) => String(text).split(/\r?\n/)).flatMap((line) => {
    const [, name, value] = /^([a-z_]+):(.*)$/i.exec(line) ?? []
    return name === undefined || value === undefined ? [] : [[name, value] as const]
  }))
}

/** Redis's own word for it, without doing it; a Redis or a user that cannot be asked is believed. */
const mayRun = async (ask: Ask, connection: string, command: readonly string[]): Promise<boolean> => {
  try {
    return await ask('ACL', 'DRYRUN', connection, ...command) === 'OK'
  } catch (error) {
    if (error instanceof SessionFailure && error.isAnswer) return true
    throw error
  }
}

/** Names and values in turn, as RESP2 writes maps. */
const pairs = (answer: unknown): ReadonlyMap<string, unknown> => {
  const items: unknown[] = Array.isArray(answer) ? answer : []
  return new Map(items.flatMap((item, index) => index % 2 === 0 ? [[String(item), items[index + 1]] as const] : []))
}
