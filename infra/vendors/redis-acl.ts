// Vendor `redis-acl`: a second password of the same user takes over; Redis gets its SHA-256, and keeps it over a restart.
import { createHash } from 'node:crypto'
import type { VendorSettings } from '../../src/domain/credential/manifest.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { VendorGateway } from '../../src/rotation-ports.ts'
import { accountIn, addressProblems, valueOf, type Account } from './address.ts'
import type { Ending } from './exchange.ts'
import { inOrder, randomPassword, refusesRandom } from './probes.ts'
import { factsOf, problemsOf, userOf, type RedisFacts } from './redis-facts.ts'
import { inRedis, type Ask } from './redis-session.ts'
import { SessionFailure } from './session-failure.ts'
import { judgedBy, openSessions, revokedBy, triedBy } from './sessions.ts'

export interface RedisAclOptions {
  vendor: Extract<VendorSettings, { kind: 'redis-acl' }>
  /** Secret of the manifest's connection: `redis://admin:password@…`; asked for each call. */
  connection: () => Promise<Secret | undefined>
  /** Keyed hash of the vault (`CredentialValues.fingerprint`): a plain hash of a password that a person chose could be guessed from the log. */
  fingerprint: (secret: Secret) => string
  /** For one request, in ms; default 5,000. */
  timeoutMs?: number
}

const PROTOCOLS = ['redis:', 'rediss:']

const hashOf = (password: Secret): string => createHash('sha256').update(password.reveal(), 'utf8').digest('hex')

export const redisAclVendor = ({ vendor, connection, fingerprint, timeoutMs = 5_000 }: RedisAclOptions): VendorGateway => {
  const { user, address } = vendor
  const tokenIdOf = (hash: string): string => fingerprint(new Secret(`redis-acl:${hash}`))
  const passwordOf = (value: Secret | undefined): Secret | undefined => value === undefined ? undefined : accountIn(value, PROTOCOLS)?.password

  const { ask, admin } = openSessions<Ask>({ address, protocols: PROTOCOLS, connection, enter: (account, work) => inRedis(account, timeoutMs, work) })
  const method = 'REDIS'

  const probeRefused: VendorGateway['probeRefused'] = async (value) => {
    const account = accountIn(value, PROTOCOLS) ?? 'value_invalid'
    const { exchange } = await ask({ probe: 'refused', method, body: `AUTH ${user} [secret]`, account, secrets: [value] }, async () => ({ ending: { outcome: 'failed', status: 'OK' } }))
    return triedBy(exchange, 'OK', (status) => status === 'WRONGPASS')
  }

  const verify: VendorGateway['verify'] = async (value, { replace }) => {
    const account = accountIn(value, PROTOCOLS) ?? 'value_invalid'
    const secrets = [value]
    const probes = [
      () => ask({ probe: 'authenticate', method, body: `AUTH ${user} [secret]`, account, secrets }, async () => ({ ending: { outcome: 'passed', status: 'OK' } })),
      () => ask({ probe: 'metadata', method, body: 'ACL WHOAMI', account, secrets }, async (ask) => ({ ending: await whoIs(ask, user, account) })),
      async () => ask({ probe: 'may_mint', method, body: `ACL WHOAMI; ACL GETUSER ${user}; ACL DRYRUN; CONFIG GET; INFO`, account: await admin(), secrets }, async (ask) => {
        const facts = await factsOf(ask, user)
        const password = passwordOf(value)
        const listed = replace || (password !== undefined && facts.user?.hashes.includes(hashOf(password)) === true)
        const problems = [...problemsOf(facts, user), ...listed ? [] : [`The value is no password of ${user} there: the connection leads to another Redis.`]]
        return { ending: judged({ ...summary(facts), problems }, problems.length === 0, facts.connection === user ? 'is_the_connection' : 'not_allowed') }
      }),
      refusesRandom(probeRefused, valueOf(address, user, randomPassword().reveal()))
    ]
    return inOrder(replace ? probes.slice(2) : probes)
  }

  const mint: VendorGateway['mint'] = async () => {
    // Of a random password, its plain hash tells nothing.
    const password = randomPassword()
    const secret = valueOf(address, user, password.reveal())
    const hash = hashOf(password)
    const { exchange } = await ask({ probe: 'mint', method, body: `ACL SETUSER ${user} #[sha256]`, account: await admin(), secrets: [secret, password, new Secret(hash)] }, async (ask) => {
      const facts = await factsOf(ask, user).catch(nothingDone)
      const problems = problemsOf(facts, user)
      if (problems.length > 0 || facts.keeps === undefined) return { ending: judged({ problems }, false, 'not_allowed') }
      await ask('ACL', 'SETUSER', user, `#${hash}`)
      try {
        await keep(ask, facts.keeps)
      } catch (error) {
        // What would be gone after a restart must not be given to anybody.
        if (!(error instanceof SessionFailure) || !error.isAnswer) throw error
        await ask('ACL', 'SETUSER', user, `!${hash}`).catch(() => { throw new SessionFailure({ ...error.ending, outcome: 'unknown' }, true) })
        throw error
      }
      return { ending: judged({ kept_by: facts.keeps }, true) }
    })
    if (exchange.outcome === 'passed') return { status: 'minted', secret, tokenId: tokenIdOf(hash), exchange }
    return { status: exchange.outcome === 'unknown' ? 'unknown' : 'refused', exchange }
  }

  const list: VendorGateway['list'] = async () => {
    const { exchange, value } = await ask<string[]>({ probe: 'list', method, body: `ACL GETUSER ${user}`, account: await admin(), secrets: [] }, async (ask) => {
      const found = await userOf(ask, user)
      const tokens = (found?.hashes ?? []).map(tokenIdOf)
      return { ending: judged({ user: found !== undefined, tokens }, true), value: tokens }
    })
    return value === undefined ? { status: 'failed', exchange } : { status: 'listed', exchange, tokens: value.map((tokenId) => ({ tokenId })) }
  }

  const revoke: VendorGateway['revoke'] = async ({ tokenId, value }) => {
    const password = passwordOf(value)
    const account = tokenId === undefined && password === undefined ? 'token_unknown' : await admin()
    const { exchange } = await ask({ probe: 'revoke', method, body: `ACL SETUSER ${user} ![sha256]`, account, secrets: [value, password] }, async (ask) => {
      const facts = await factsOf(ask, user).catch(nothingDone)
      const wanted = tokenId === undefined ? (hash: string) => password !== undefined && hash === hashOf(password) : (hash: string) => tokenIdOf(hash) === tokenId
      const found = facts.user?.hashes.find(wanted)
      if (found !== undefined && facts.connection === user) return { ending: judged({ problems: problemsOf(facts, user) }, false, 'is_the_connection') }
      if (found !== undefined) await ask('ACL', 'SETUSER', user, `!${found}`)
      // Also where it is gone already: a removal that was not kept comes back with the next start.
      if (facts.keeps !== undefined) await keep(ask, facts.keeps).catch(notKept)
      return { ending: judged({ removed: found !== undefined, kept_by: facts.keeps ?? null, passwords_left: (facts.user?.hashes.length ?? 0) - (found === undefined ? 0 : 1) }, true) }
    })
    return revokedBy(exchange)
  }

  return {
    lists: true,
    timeLimitMs: timeoutMs,
    verify,
    mint,
    list,
    revoke,
    probeRefused
  }
}

/** What is wrong with the vendor's part of a manifest, in sentences; a Redis that cannot be asked now is asked again by stage 1. */
export const redisAclProblems = async ({ vendor, connection, timeoutMs = 5_000 }: Omit<RedisAclOptions, 'fingerprint'>): Promise<string[]> => {
  const problems = addressProblems(vendor.address, 'redis://cache.internal:6379/0')
  const secret = await connection().catch(() => undefined)
  if (secret === undefined) return problems
  const account = accountIn(secret, PROTOCOLS)
  if (account === undefined) return [...problems, 'The connection is no address with user and password, like redis://admin:…@cache.internal:6379.']
  const facts = await inRedis(account, timeoutMs, (ask) => factsOf(ask, vendor.user)).catch(() => undefined)
  return facts === undefined ? problems : [...problems, ...problemsOf(facts, vendor.user)]
}

/** A user that may not even ask who it is was taken by its name all the same. */
const whoIs = async (ask: Ask, user: string, account: Account | string): Promise<Ending> => {
  const told = await ask('ACL', 'WHOAMI').catch((error: unknown) => {
    if (error instanceof SessionFailure && error.ending.status === 'NOPERM' && typeof account !== 'string') return account.user
    throw error
  })
  return judged({ user: told }, told === user, 'another_user')
}

const keep = async (ask: Ask, by: NonNullable<RedisFacts['keeps']>): Promise<void> => {
  const [name, sub] = by.split(' ') as [string, string]
  await ask(name, sub)
}

/** Only questions were asked so far: whatever became of them, nothing was done. */
const nothingDone = (error: unknown): never => {
  throw error instanceof SessionFailure ? new SessionFailure({ ...error.ending, outcome: 'failed' }, false) : error
}

/** The password is gone from its memory, but would come back: to be tried again. */
const notKept = (error: unknown): never => {
  throw error instanceof SessionFailure ? new SessionFailure({ ...error.ending, outcome: 'unknown' }, true) : error
}

const summary = ({ connection, user, keeps, replicas, cluster }: RedisFacts) => ({ connection, passwords: user?.hashes.length ?? null, kept_by: keeps ?? null, replicas, cluster })

const judged = judgedBy('OK')
