// Vendor `http`: whatever can list, mint and revoke tokens by requests that a manifest describes.
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { HttpCall, VendorSettings } from '../../src/domain/credential/manifest.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { ListedToken, OpenedConnection, RefusalOutcome, VendorGateway } from '../../src/rotation-ports.ts'
import { jsonIn } from '../json.ts'
import { bodyOf, headersOf } from '../outgoing/exchange.ts'
import type { Answered, Outgoing } from '../outgoing/index.ts'
import { createScrub } from '../outgoing/scrub.ts'
import { instantAt, shownJson, tokensIn, wordAt } from './answers.ts'
import { inOrder, lookalike, refusesRandom } from './probes.ts'
import { isSame } from './same-secret.ts'
import { fill, type Filling } from './templates.ts'

export interface HttpVendorOptions {
  vendor: Extract<VendorSettings, { kind: 'http' }>
  /** Secret of the manifest's connection, asked for each call with the address that it is for; `elsewhere` if it may not go there. */
  connection: (url: string) => Promise<OpenedConnection>
  outgoing: Outgoing
}

interface Asked extends Answered {
  /** The answer is one that the manifest takes for a yes. */
  yes: boolean
}

const WITHHELD = '[withheld: it may hold a token]'

/** `unavailable`: it could not be opened now, as when our own log or vault is away. */
type Connected = OpenedConnection | 'unavailable'

/** Sends one request of a manifest. What of it cannot be filled was not sent: the exchange says why. */
export const asker = (outgoing: Outgoing) => async (probe: string, call: HttpCall, filling: { value?: Secret | undefined, connection?: Connected } & Pick<Filling, 'label' | 'token_id'>): Promise<Asked> => {
  const { value, connection: opened, ...words } = filling
  const connection = typeof opened === 'string' ? undefined : opened
  const filled = typeof opened === 'string' ? { failure: `connection_${opened}` } as const : fill(call, { ...words, value: value?.reveal(), connection: connection?.reveal() })
  const secrets = [value, connection].filter((secret) => secret !== undefined)
  if ('failure' in filled) return unsent(probe, call, filled.failure)
  const answered = await outgoing.request({ ...filled, secrets, probe, ownConnection: true })
  const { status, body, exchange } = answered
  const yes = status !== undefined && call.expect.includes(status)
  const outcome = yes ? 'passed' : status !== undefined ? 'failed' : exchange.outcome
  const shown = status !== undefined && status < 300 && body !== undefined ? shownJson(body) : undefined
  const masked = shown === undefined ? exchange : withBody(exchange, bodyOf(shown, createScrub(secrets), 4_096))
  return { ...answered, yes, exchange: { ...masked, outcome } }
}

const unsent = (probe: string, { method, url }: HttpCall, failure: string): Asked =>
  ({ exchange: { probe, outcome: 'failed', request: { method, target: url }, failure, at: new Date().toISOString(), tookMs: 0 }, sent: false, yes: false })

const withBody = ({ answer, ...exchange }: Exchange, body: string): Exchange => ({ ...exchange, ...(answer && { answer: { ...answer, body } }) })
/** The answer may hold a token that we could not find in it: only its status is shown. */
const withheld = ({ answer, ...exchange }: Exchange): Exchange => ({ ...exchange, ...(answer && { answer: { status: answer.status, body: WITHHELD } }) })

export const httpVendor = ({ vendor, connection: openConnection, outgoing }: HttpVendorOptions): VendorGateway => {
  const ask = asker(outgoing)
  const connected = async ({ url }: HttpCall): Promise<{ connection: Connected }> => ({ connection: await openConnection(url).catch(() => 'unavailable' as const) })

  /** With the connection, unless it is the value itself under another name: then nothing is sent (ADR 0192). */
  const askConnected = async (probe: string, call: HttpCall, value: Secret | undefined, words: { value?: Secret | undefined } & Pick<Filling, 'token_id'> = {}): Promise<Asked> => {
    const { connection } = await connected(call)
    const itself = connection instanceof Secret && value !== undefined && isSame(connection, value)
    return itself ? unsent(probe, call, 'is_the_connection') : ask(probe, call, { ...words, connection })
  }

  const probeRefused = refusalProbe(outgoing, vendor)
  const probes = (value: Secret) => [
    () => ask('authenticate', vendor.authenticate, { value }),
    () => ask('metadata', vendor.metadata, { value }),
    () => askConnected('may_mint', vendor.mayMint, value),
    refusesRandom(probeRefused, lookalike(value))
  ]

  return {
    lists: true,
    timeLimitMs: outgoing.timeoutMs,
    verify: (value, { replace }) => inOrder(replace ? probes(value).slice(2) : probes(value)),
    mint: async ({ label }) => {
      const { connection } = await connected(vendor.mint.call)
      const { exchange, yes, sent, status, body } = await ask('mint', vendor.mint.call, { connection, label })
      if (!sent) return { status: 'refused', exchange: { ...exchange, outcome: 'failed' } }
      if (!yes && status !== undefined && status >= 400 && status < 500) return { status: 'refused', exchange }
      const document = yes ? jsonIn(body) : undefined
      const text = wordAt(document, vendor.mint.secret)
      const tokenId = wordAt(document, vendor.mint.tokenId)
      // Anything else may have minted, a redirect as well as another yes, or one whose token cannot be found.
      if (text === undefined || tokenId === undefined) return { status: 'unknown', exchange: { ...(status !== undefined && status >= 400 ? exchange : withheld(exchange)), outcome: 'unknown' } }
      const secret = new Secret(text)
      const scrub = createScrub([secret, ...(connection instanceof Secret ? [connection] : [])])
      const expiresAt = instantAt(document, vendor.mint.expiresAt)
      return {
        status: 'minted',
        secret,
        tokenId,
        ...(expiresAt !== undefined && { expiresAt }),
        exchange: {
          ...exchange,
          ...(exchange.answer && { answer: { status: exchange.answer.status, headers: headersOf(exchange.answer.headers ?? {}, scrub), body: bodyOf(shownJson(body ?? '') ?? WITHHELD, scrub, 4_096) } })
        }
      }
    },
    list: async () => {
      const { exchange, yes, body } = await ask('list', vendor.list.call, await connected(vendor.list.call))
      if (!yes) return { status: 'failed', exchange }
      const tokens = tokensIn(body, vendor.list)
      const failure = tokens === undefined ? 'list_unreadable' : goesOn(exchange) ? 'list_incomplete' : undefined
      // A list shows other people's tokens; what was read of it is shown instead.
      if (failure !== undefined || tokens === undefined) return { status: 'failed', exchange: { ...withheld(exchange), outcome: 'failed', failure: failure ?? 'list_unreadable' } }
      return { status: 'listed', tokens, exchange: withBody(exchange, bodyOf(JSON.stringify(tokens.map(asShown)), (text) => text, 4_096)) }
    },
    revoke: async ({ tokenId, value }) => {
      const { exchange, sent, yes, status } = await askConnected('revoke', vendor.revoke, value, { value, token_id: tokenId })
      // Gone already is gone.
      if (yes || status === 404 || status === 410) return { status: 'revoked', exchange: { ...exchange, outcome: 'passed' } }
      if (!sent || (status !== undefined && status >= 400 && status < 500)) return { status: 'refused', exchange }
      return { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } }
    },
    probeRefused
  }
}

/** Tries a value once: the statuses that mean a refusal are the manifest's; anything but them and a yes says nothing. */
export const refusalProbe = (outgoing: Outgoing, { authenticate, refusedStatuses }: { authenticate: HttpCall, refusedStatuses: readonly number[] }) => async (value: Secret): Promise<RefusalOutcome> => {
  const { exchange, yes, status } = await asker(outgoing)('refused', authenticate, { value })
  if (status !== undefined && refusedStatuses.includes(status)) return { status: 'refused', exchange: { ...exchange, outcome: 'passed' } }
  return yes ? { status: 'accepted', exchange: { ...exchange, outcome: 'failed' } } : { status: 'unknown', exchange: { ...exchange, outcome: 'unknown' } }
}

/** The vendor says that there is another page (RFC 8288, Heroku's ranges): pages are not followed, so the list does not count. */
const goesOn = ({ answer }: Exchange): boolean =>
  answer?.status === '206' || answer?.headers?.['next-range'] !== undefined || /rel="?next"?/.test(answer?.headers?.['link'] ?? '')

const asShown = ({ tokenId, label, lastUsedAt }: ListedToken) => ({ token_id: tokenId, label, last_used_at: lastUsedAt })
