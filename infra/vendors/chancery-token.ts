// Vendor `chancery-token`: access tokens of one of our own service principals, without HTTP.
import { codes, Refusal } from '../../src/domain/codes.ts'
import type { VendorSettings } from '../../src/domain/credential/manifest.ts'
import type { Exchange } from '../../src/domain/credential/fields.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { VendorGateway } from '../../src/rotation-ports.ts'
import { beginExchange, type Ending } from './exchange.ts'
import { inOrder, lookalike, refusesRandom } from './probes.ts'

export interface OwnTokens {
  /** The principal and its usable tokens, proven; undefined if there is none. A superadmin is one, whatever else it is. */
  look: (principalId: string) => Promise<{ kind: 'operator' | 'service' | 'superadmin', tokens: Array<{ tokenId: string, label?: string }>, full: boolean } | undefined>
  /** `seed` makes a repeat the same command; the token is undefined if that was recorded before. Throws as commands do. */
  issue: (of: { principalId: string, label: string, seed: string }) => Promise<{ tokenId: string, token: string | undefined }>
  /** Throws as commands do. */
  revoke: (of: { principalId: string, tokenId: string }) => Promise<void>
  /** Whose token it is if it opens the door now. */
  judge: (token: string) => Promise<{ principalId: string, tokenId: string } | undefined>
  /** What a token says of itself, whether or not it is good; undefined if it is none. */
  parse: (token: string) => { principalId: string, tokenId: string } | undefined
}

export interface ChanceryTokenOptions {
  vendor: Extract<VendorSettings, { kind: 'chancery-token' }>
  own: OwnTokens
  /** For one call, in ms; default 10,000: appends wait that long for a log that is away. */
  timeoutMs?: number
}

/** What is wrong with the vendor's part of a manifest, in sentences. */
export const chanceryTokenProblems = async ({ vendor: { principalId }, own }: Pick<ChanceryTokenOptions, 'vendor' | 'own'>): Promise<string[]> => {
  const principal = await own.look(principalId)
  if (principal === undefined) return [`vendor.principal_id names no principal (${principalId})`]
  if (principal.kind === 'service') return []
  return [`vendor.principal_id names ${principal.kind === 'operator' ? 'an operator' : 'a superadmin'}: only tokens of services are rotated, and of none that is superadmin`]
}

/** Words for the answer of a call that came back with no refusal. */
const OK = 'ok'

export const chanceryTokenVendor = ({ vendor: { principalId }, own, timeoutMs = 10_000 }: ChanceryTokenOptions): VendorGateway => {
  /** One call to ourselves: a refusal is an answer, everything else that is thrown is none. */
  const ask = async <T = undefined>(
    probe: string, method: string, secrets: Array<Secret | undefined>, work: () => Promise<{ ending: Ending, value?: T }>
  ): Promise<{ exchange: Exchange, value?: T, refusal?: Refusal }> => {
    const end = beginExchange(probe, { method, target: `principal-${principalId}` }, secrets)
    let timer: NodeJS.Timeout | undefined
    const late = new Promise<never>((_resolve, reject) => { timer = setTimeout(() => { reject(new Late()) }, timeoutMs) })
    try {
      const { ending, value } = await Promise.race([work(), late])
      return { exchange: end(ending), ...(value !== undefined && { value }) }
    } catch (error) {
      if (!(error instanceof Refusal)) return { exchange: end({ outcome: 'unknown', failure: error instanceof Late ? 'timeout' : 'log_unavailable' }) }
      // A refusal for want of a store is no answer either.
      const outcome = codes[error.code].status >= 500 ? 'unknown' : 'failed'
      return { exchange: end({ outcome, status: error.code, body: error.message }), refusal: error }
    } finally {
      clearTimeout(timer)
    }
  }
  const said = (good: boolean, body: object, failure: string): Ending =>
    ({ outcome: good ? 'passed' : 'failed', status: good ? OK : failure, body: JSON.stringify(body), ...(!good && { failure }) })

  const list: VendorGateway['list'] = async () => {
    const { exchange, value } = await ask('list', 'LIST', [], async () => {
      const principal = await own.look(principalId)
      return { ending: said(principal !== undefined, principal?.tokens ?? {}, 'subject_not_found'), ...(principal && { value: principal.tokens }) }
    })
    return value === undefined ? { status: 'failed', exchange } : { status: 'listed', tokens: value.map(({ tokenId, label }) => ({ tokenId, label: label ?? '' })), exchange }
  }

  const probeRefused: VendorGateway['probeRefused'] = async (value) => {
    const { exchange, value: accepted } = await ask<boolean>('refused', 'AUTHENTICATE', [value], async () => {
      const holder = await own.judge(value.reveal())
      return { ending: { outcome: holder === undefined ? 'passed' : 'failed', status: holder === undefined ? 'unauthenticated' : OK }, value: holder !== undefined }
    })
    return { status: accepted === undefined ? 'unknown' : accepted ? 'accepted' : 'refused', exchange }
  }

  const probes = (value: Secret) => [
    () => ask('authenticate', 'AUTHENTICATE', [value], async () => {
      const holder = await own.judge(value.reveal())
      const ours = holder?.principalId === principalId
      return { ending: said(ours, holder ?? {}, holder === undefined ? 'unauthenticated' : 'another_principal') }
    }),
    () => ask('metadata', 'LOOK', [value], async () => {
      const { tokenId } = own.parse(value.reveal()) ?? {}
      const token = (await own.look(principalId))?.tokens.find((token) => token.tokenId === tokenId)
      return { ending: said(token !== undefined, token ?? {}, 'subject_not_found') }
    }),
    () => ask('may_mint', 'LOOK', [value], async () => {
      const principal = await own.look(principalId)
      return { ending: said(principal?.kind === 'service' && !principal.full, { kind: principal?.kind, usable: principal?.tokens.length }, principal?.full === true ? 'too_many_tokens' : 'no_service') }
    }),
    refusesRandom(probeRefused, lookalike(value))
  ]

  return {
    lists: true,
    timeLimitMs: timeoutMs,
    list,
    verify: (value, { replace }) => inOrder(replace ? probes(value).slice(2) : probes(value)),
    mint: async ({ label, valueId }) => {
      const { exchange, value, refusal } = await ask('mint', 'ISSUE', [], async () => {
        const principal = await own.look(principalId)
        if (principal?.kind !== 'service') return { ending: { outcome: 'failed' as const, status: 'no_service' } }
        const { tokenId, token } = await own.issue({ principalId, label, seed: valueId })
        return token === undefined
          ? { ending: { outcome: 'unknown' as const, status: 'replayed' } }
          : { ending: said(true, { token_id: tokenId }, OK), value: { tokenId, secret: new Secret(token) } }
      })
      if (value !== undefined) return { status: 'minted', ...value, exchange }
      return { status: exchange.outcome === 'failed' || refusal?.code === 'conflict' ? 'refused' : 'unknown', exchange }
    },
    revoke: async ({ tokenId, value }) => {
      const id = tokenId ?? (value === undefined ? undefined : own.parse(value.reveal())?.tokenId)
      const { exchange, refusal } = await ask('revoke', 'REVOKE', [value], async () => {
        if (id === undefined) return { ending: { outcome: 'failed' as const, failure: 'token_id_missing' } }
        await own.revoke({ principalId, tokenId: id })
        return { ending: said(true, { token_id: id }, OK) }
      })
      // Not found is gone already.
      if (exchange.outcome === 'passed' || refusal?.code === 'subject_not_found') return { status: 'revoked', exchange: { ...exchange, outcome: 'passed' } }
      return { status: exchange.outcome === 'failed' ? 'refused' : 'unknown', exchange }
    },
    probeRefused
  }
}

class Late extends Error {}
