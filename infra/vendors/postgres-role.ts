// Vendor `postgres-role`: a second login role in the same group role takes over, and the old one goes when its sessions have gone.
import { setTimeout as delay } from 'node:timers/promises'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { VendorSettings } from '../../src/domain/credential/manifest.ts'
import type { VendorGateway } from '../../src/rotation-ports.ts'
import { accountIn, addressProblems, valueOf } from './address.ts'
import type { Ending } from './exchange.ts'
import { inSession, type Session } from './postgres-session.ts'
import * as sql from './postgres-sql.ts'
import { inOrder, randomPassword, refusesRandom } from './probes.ts'
import { scramVerifier } from './scram.ts'
import { judgedBy, openSessions, revokedBy, triedBy } from './sessions.ts'

export interface PostgresRoleOptions {
  vendor: Extract<VendorSettings, { kind: 'postgres-role' }>
  /** Secret of the manifest's connection: `postgres://admin:password@…`; asked for each call. */
  connection: () => Promise<Secret | undefined>
  /** For one request, in ms; default 5,000. */
  timeoutMs?: number
}

const PROTOCOLS = ['postgres:', 'postgresql:']
const POLL_MS = 50
/** Left for tidying up after waiting for sessions, as a part of the limit. */
const RESERVE = 0.3

/** What is wrong with the vendor's part of a manifest, in sentences. */
export const postgresRoleProblems = ({ address }: PostgresRoleOptions['vendor']): string[] => addressProblems(address, 'postgres://db.internal:5432/app')

/** The role that a value is minted as: the group's name and enough of the value's id. */
export const roleOf = (group: string, valueId: string): string => `${group}_${valueId.replaceAll('-', '').slice(-12)}`

export const postgresRoleVendor = ({ vendor, connection, timeoutMs = 5_000 }: PostgresRoleOptions): VendorGateway => {
  const { group, address } = vendor
  const userOf = (value: Secret | undefined): string | undefined => value === undefined ? undefined : accountIn(value, PROTOCOLS)?.user

  const { ask, admin } = openSessions<Session>({ address, protocols: PROTOCOLS, connection, enter: (account, work) => inSession(account, timeoutMs, work) })

  const probeRefused: VendorGateway['probeRefused'] = async (value) => {
    const account = accountIn(value, PROTOCOLS) ?? 'value_invalid'
    const { exchange } = await ask({ probe: 'refused', method: 'CONNECT', account, secrets: [value] }, async () => ({ ending: { outcome: 'failed', status: '00000' } }))
    return triedBy(exchange, '00000', (status, body) => REFUSED.has(status) && !/pg_hba/.test(body))
  }

  const verify: VendorGateway['verify'] = async (value, { replace }) => {
    const account = accountIn(value, PROTOCOLS) ?? 'value_invalid'
    const probes = [
      () => ask({ probe: 'authenticate', method: 'CONNECT', account, secrets: [value] }, async () => ({ ending: { outcome: 'passed', status: '00000' } })),
      () => ask({ probe: 'metadata', method: 'SQL', body: sql.OWN_ROLE, account, secrets: [value] }, async ({ query }) => {
        const [own] = await query<sql.OwnRole>(sql.OWN_ROLE, [group])
        return { ending: judged(own, own?.in_group === true, 'not_in_group') }
      }),
      async () => ask({ probe: 'may_mint', method: 'SQL', body: sql.MAY_MINT, account: await admin(), secrets: [value] }, async ({ query }) => {
        const [may] = await query<sql.MayMint>(sql.MAY_MINT, [group, userOf(value) ?? ''])
        const old = may?.old_exists === true ? may.may_end_old && !may.is_old : replace
        return { ending: judged(may, may !== undefined && may.takes_writes && may.may_create && may.may_admit && old, may?.is_old === true ? 'is_the_connection' : 'not_allowed') }
      }),
      // With the old role's name: a server that asks for no password is found out.
      refusesRandom(probeRefused, valueOf(address, userOf(value) ?? group, randomPassword().reveal()))
    ]
    return inOrder(replace ? probes.slice(2) : probes)
  }

  const mint: VendorGateway['mint'] = async ({ label, valueId }) => {
    const role = roleOf(group, valueId)
    const password = randomPassword().reveal()
    const secret = valueOf(address, role, password)
    const verifier = await scramVerifier(password)
    const { sql: message, shown: body } = sql.mintRole({ role, group, label, verifier, limitMs: timeoutMs / 4 })
    const { exchange } = await ask({ probe: 'mint', method: 'SQL', body, account: await admin(), secrets: [secret, new Secret(password), new Secret(verifier)] }, async ({ query }) => {
      await query(message)
      return { ending: { outcome: 'passed', status: '00000' } }
    })
    if (exchange.outcome === 'passed') return { status: 'minted', secret, tokenId: role, exchange }
    return { status: exchange.outcome === 'unknown' ? 'unknown' : 'refused', exchange }
  }

  const list: VendorGateway['list'] = async () => {
    const { exchange, value } = await ask<sql.TokenRow[]>({ probe: 'list', method: 'SQL', body: sql.TOKENS, account: await admin(), secrets: [] }, async ({ query }) => {
      const rows = await query<sql.TokenRow>(sql.TOKENS, [group])
      return { ending: judged(rows, true), value: rows }
    })
    if (value === undefined) return { status: 'failed', exchange }
    // Its list knows labels: a role without one has the empty one, so that nobody takes it for an orphan of ours.
    return {
      status: 'listed',
      exchange,
      tokens: value.map(({ role, label, idle_ms: idle }) => ({ tokenId: role, label: label ?? '', ...idle !== null && { lastUsedAt: new Date(Date.now() - idle).toISOString() } }))
    }
  }

  const revoke: VendorGateway['revoke'] = async ({ tokenId, value }) => {
    const role = tokenId ?? userOf(value)
    const account = role === undefined ? 'token_unknown' : await admin()
    const { exchange } = await ask({ probe: 'revoke', method: 'SQL', body: sql.endLogin(role ?? ''), account, secrets: [value] }, async (session) => ({
      ending: await endRole(session, role ?? '')
    }))
    return revokedBy(exchange)
  }

  /** No login first; gone is the role when the sessions that it has have ended by themselves: none is cut off (ADR 0161). */
  const endRole = async ({ query, left }: Session, role: string): Promise<Ending> => {
    const [found] = await query<sql.RoleRow>(sql.ROLE, [role, group])
    if (found === undefined) return judged({ role, gone: true }, true)
    if (found.is_connection) return judged({ role }, false, 'is_the_connection')
    if (!found.in_group) return judged({ role, group }, false, 'not_in_group')
    if (found.may_log_in) await query(sql.endLogin(role))
    const open = await sessionsLeft(query, found.oid, () => left() - RESERVE * timeoutMs)
    // It lets nobody in any more; but whoever is in, is in.
    if (open > 0) return { ...judged({ role, may_log_in: false, open_sessions: open }, false, 'sessions_open'), outcome: 'unknown' }
    const [belongings] = await query<{ owns: boolean }>(sql.BELONGINGS, [found.oid])
    const drop = sql.dropRole({ role, group, owns: belongings?.owns === true, limitMs: Math.max(100, left() / 2) })
    const kept = await query(drop.sql).then(() => undefined, (error: unknown) => error as Error)
    // A role that nobody can be any more is no token, whether or not something of another database still hangs on it.
    return judged(kept === undefined ? { role, dropped: true } : { role, dropped: false, may_log_in: false, why: kept.message }, true)
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

/** invalid_authorization_specification (no login) and invalid_password (no such role, or another password). */
const REFUSED: ReadonlySet<string> = new Set(['28000', '28P01'])

const judged = judgedBy('00000')

/** How many sessions there are when two looks in a row found none, or the time is over. */
const sessionsLeft = async (query: Session['query'], oid: string, left: () => number): Promise<number> => {
  for (let none = 0; ;) {
    const [row] = await query<{ open: number }>(sql.SESSIONS, [oid])
    const open = row?.open ?? 0
    none = open === 0 ? none + 1 : 0
    if (none === 2 || (left() <= 0 && open > 0)) return open
    await delay(POLL_MS)
  }
}
