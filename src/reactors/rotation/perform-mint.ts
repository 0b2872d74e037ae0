// Stage 1, and minting: each request to the vendor once, its outcome recorded, what is unknown settled by the vendor's list.
import { credentialAggregate, openJob } from '../../domain/credential/credential.ts'
import { holdsUp, type Exchange } from '../../domain/credential/fields.ts'
import { Secret } from '../../domain/credential/secret.ts'
import type { Action } from '../../domain/rotation/actions.ts'
import { labelOf, orphansAmong } from '../../domain/rotation/orphans.ts'
import { askedInVain, isClaimed, mintNotAsked, mintRefused, mintSettled, mintStarted, mintUnknown, minted, orphanFound, orphanMade, orphanRevoked, pastedRefused, pastedTaken, unexplainedFound, verified, type Outcome } from '../../domain/rotation/outcomes.ts'
import { pauseAfter } from '../../domain/rotation/rules.ts'
import { TOKEN_NOT_LISTED, valueMissing } from '../../domain/rotation/sentences.ts'
import type { ListOutcome, MintOutcome, VendorGateway } from '../../rotation-ports.ts'
import type { Memory, Performed, Turn } from './turn.ts'

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>

export const verify = async ({ deps, gateway, job, record }: Turn, { attempt, valueId, replace }: Of<'verify'>): Performed => {
  const value = await deps.values.open(valueId)
  // A dead value is not tried now. In the end it is, unless the vendor's list can show that its token is gone.
  const needless = replace && gateway.lists && job.oldValue.vendorTokenId !== undefined
  const exchanges = value === undefined && !needless ? [valueMissing(deps.clock.now())] : await gateway.verify(value ?? new Secret(''), { replace })
  const tokenId = replace || !exchanges.every(holdsUp) ? undefined : job.oldValue.vendorTokenId
  await record(verified(attempt, tokenId === undefined ? exchanges : [...exchanges, ...await lookedUp(gateway, tokenId)]))
  return undefined
}

/** An id with a slip in it would show only where there is no way back: once the vendor is told to revoke by it. */
const lookedUp = async (gateway: VendorGateway, tokenId: string): Promise<Exchange[]> => {
  if (!gateway.lists) return []
  const seen = await gateway.list()
  if (seen.status === 'failed' || seen.tokens.some((token) => token.tokenId === tokenId)) return [seen.exchange]
  return [{ ...seen.exchange, outcome: 'failed', failure: TOKEN_NOT_LISTED }]
}

/** What a fact can hold of a vendor's list. */
const MOST_KNOWN = 1_000
/** So often a new value is tried at the vendor, which may need a moment, before it counts as one that does not work. */
const NEW_VALUE_TRIES = 3

export const mint = async (turn: Turn, { attempt }: Of<'mint'>): Performed => {
  const { deps, gateway, job, memory, claim, record } = turn
  if (job.minting?.pasted !== undefined) return takePasted(turn, attempt, job.minting.pasted.valueId)
  const before = gateway.lists ? await gateway.list() : undefined
  // Without a list an unknown outcome could not be settled: better nothing is minted.
  if (before?.status === 'failed') {
    await record(mintNotAsked(attempt, [before.exchange]))
    return undefined
  }
  const unlabelled = before !== undefined && before.tokens.every(({ label }) => label === undefined)
  // Nor could it where too many look like ours.
  if (unlabelled && before.tokens.length > MOST_KNOWN) {
    await record(mintNotAsked(attempt, [{ ...before.exchange, outcome: 'failed', failure: 'too_many_tokens' }]))
    return undefined
  }
  const valueId = deps.ids.derive('minted', job.rotationId, String(attempt), deps.holder)
  const label = labelOf(job.rotationId, attempt)
  const known = before?.tokens.map(({ tokenId }) => tokenId) ?? []
  const claimedAt = deps.clock.now().getTime()
  if (!await claim(mintStarted(attempt, { valueId, label, ...unlabelled && { knownTokenIds: known } }, before === undefined ? [] : [before.exchange]))) return undefined
  // A process that stood still since may have been given up by another one.
  if (deps.clock.now().getTime() - claimedAt > gateway.timeLimitMs) {
    await record(mintUnknown(attempt, valueId, []))
    return undefined
  }
  const rest = endOfMinting(turn, attempt, valueId, await gateway.mint({ label, valueId }), new Set(known))
  memory.rest = rest
  return rest()
}

/** A value made by hand is tried before anybody is given it: what is mistyped is told at once. */
const takePasted = async (turn: Turn, attempt: number, valueId: string): Performed => {
  const { job, record, rules } = turn
  const { works, exchanges } = await tryNew(turn, valueId)
  if (works === undefined) await record(askedInVain(job, 'mint', exchanges))
  else await record(works ? pastedTaken(attempt, exchanges) : pastedRefused(attempt, exchanges, rules.valueGraceMs))
  return undefined
}

const asNew = { accepted: ['passed', true], refused: ['failed', false], unknown: ['unknown', undefined] } as const

/** Does the vendor accept the value? Undefined: it did not say; only what it calls a refusal is one, a vendor's bad moment is not. */
const trySecret = async (gateway: VendorGateway, secret: Secret): Promise<Tried> => {
  const { status, exchange } = await gateway.probeRefused(secret)
  const [outcome, works] = asNew[status]
  return { works, exchanges: [{ ...exchange, probe: 'authenticate', outcome }] }
}

export interface Tried { works: boolean | undefined, exchanges: Exchange[] }

/** The same of a value in the vault; one that is not there works for nobody. */
export const tryNew = async ({ deps, gateway }: Turn, valueId: string): Promise<Tried> => {
  const secret = await deps.values.open(valueId)
  return secret === undefined ? { works: false, exchanges: [valueMissing(deps.clock.now())] } : trySecret(gateway, secret)
}

/**
 * The rest of a minting that was answered: the value is tried, stored, and only then said to be minted (decision 31). One that does not
 * work is an unknown outcome: its token is found by the list, and revoked.
 */
const endOfMinting = (turn: Turn, attempt: number, valueId: string, outcome: MintOutcome, known: ReadonlySet<string>): NonNullable<Memory['rest']> => {
  const tried: Exchange[] = []
  let notBefore = 0
  return async () => {
    const { deps: { clock }, memory, gateway, record } = turn
    const { exchange } = outcome
    // Whatever woke it: the vendor is given its moment.
    const left = notBefore - clock.now().getTime()
    if (left > 0) return left
    const end = async (decision: Outcome): Promise<undefined> => {
      await record(decision)
      memory.rest = undefined
    }
    if (outcome.status === 'unknown') return end(mintUnknown(attempt, valueId, [exchange]))
    // The one in use, given once more, is no new one, and nothing to be revoked.
    if (outcome.status === 'refused' || isOld(turn, outcome, known)) return end(mintRefused(attempt, valueId, [exchange]))
    const { works, exchanges } = await trySecret(gateway, outcome.secret)
    tried.push(...exchanges)
    if (works !== true && tried.length < NEW_VALUE_TRIES) {
      const pause = pauseAfter(tried.length)
      notBefore = clock.now().getTime() + pause
      return pause
    }
    if (works === true) await recordMinted(turn, attempt, valueId, outcome, tried)
    else {
      const { appended } = await record(mintUnknown(attempt, valueId, [exchange, ...tried]))
      // Its id is known: no list has to tell it from others.
      if (!appended || outcome.tokenId !== undefined) await disown(turn, outcome)
    }
    memory.rest = undefined
    return undefined
  }
}

type Minted = MintOutcome & { status: 'minted' }

const isOld = ({ credential, job, deps }: Turn, { secret, tokenId }: Minted, known: ReadonlySet<string>): boolean =>
  deps.values.fingerprint(secret) === credential.value?.fingerprint || (tokenId !== undefined && (tokenId === job.oldValue.vendorTokenId || known.has(tokenId)))

const recordMinted = async (turn: Turn, attempt: number, valueId: string, made: Minted, tried: readonly Exchange[]): Promise<void> => {
  const { secret, tokenId, expiresAt, exchange } = made
  const { deps, credential, job, record } = turn
  const { values } = deps
  const { state } = await deps.aggregates.current(credentialAggregate, credential.name)
  const now = openJob(state)
  // What was given up stores nothing: its id is out of use, and may be destroyed already.
  if (now?.rotationId === job.rotationId && isClaimed(now, attempt, valueId)) await values.put({ valueId, credential: credential.name, secret })
  const value = { valueId, fingerprint: values.fingerprint(secret), ...tokenId !== undefined && { vendorTokenId: tokenId }, ...expiresAt !== undefined && { expiresAt } }
  const { appended } = await record(minted(attempt, value, [exchange, ...tried]))
  // A repeat of our own append changes nothing.
  if (appended || await isOurs(deps, credential.name, valueId)) return
  await disown(turn, made)
}

/** Given up meanwhile by another process, whose facts put the value out of use: nobody is to have what was made. */
const disown = async ({ job, gateway, record }: Turn, { secret, tokenId, exchange }: Minted): Promise<void> => {
  if (tokenId === undefined) return
  const told = await record(orphanMade(tokenId, [exchange]))
  if (told.appended || told.job?.rotationId === job.rotationId) return
  const { status } = await gateway.revoke({ tokenId, value: secret })
  if (status !== 'revoked') throw new TokenLeftBehind(tokenId)
}

/** The job that it was minted for has ended, so no fact of it tells anybody: the reactor's log line is all there is. */
class TokenLeftBehind extends Error {
  constructor (tokenId: string) {
    super(`the token ${tokenId} was minted for a rotation that has ended, and the vendor did not revoke it`)
    this.name = 'TokenLeftBehind'
  }
}

const isOurs = async ({ aggregates }: Turn['deps'], name: string, valueId: string): Promise<boolean> => {
  const { state } = await aggregates.current(credentialAggregate, name)
  return state.status === 'known' && (state.value?.valueId === valueId || state.job?.newValue?.valueId === valueId)
}

export const giveUpMint = async ({ claim }: Turn, { attempt }: Of<'give_up_mint'>): Performed => {
  await claim(mintUnknown(attempt, undefined, []))
  return undefined
}

/** Looked at once, and again after twice the time that a request may take: by then nothing may have changed. */
export const settleMint = async (turn: Turn): Performed => {
  const { deps, gateway, job, record, rules } = turn
  if (!gateway.lists) {
    await record(mintSettled(job, [], rules.valueGraceMs))
    return undefined
  }
  const seen = await gateway.list()
  if (seen.status === 'failed') {
    await record(askedInVain(job, 'settle_mint', [seen.exchange]))
    return undefined
  }
  if (await tellOrphans(turn, seen)) return undefined
  const changedAt = Math.max(Date.parse(job.minting?.at ?? ''), Date.parse(job.orphanAt ?? job.minting?.at ?? ''))
  const left = changedAt + 2 * gateway.timeLimitMs - deps.clock.now().getTime()
  if (left > 0) return left
  await record(mintSettled(job, [seen.exchange], rules.valueGraceMs))
  return undefined
}

/** True if the list shows something of ours that nobody holds, or something that nobody can tell from it: then a fact says so. */
export const tellOrphans = async ({ credential, job, record }: Turn, { tokens, exchange }: ListOutcome & { status: 'listed' }): Promise<boolean> => {
  const { ours: [orphan], unexplained } = orphansAmong(job, credential.past, tokens)
  if (orphan === undefined && unexplained.length === 0) return false
  await record(orphan === undefined ? unexplainedFound(job, unexplained, [exchange]) : orphanFound(job, orphan, [exchange]))
  return true
}

/** True if the list could be read, and does not show the token. */
export const isGone = (seen: ListOutcome | undefined, id: string): seen is ListOutcome & { status: 'listed' } =>
  seen?.status === 'listed' && seen.tokens.every(({ tokenId }) => tokenId !== id)

export const revokeOrphan = async ({ gateway, job, record }: Turn, { vendorTokenId }: Of<'revoke_orphan'>): Performed => {
  const { status, exchange } = await gateway.revoke({ tokenId: vendorTokenId, value: undefined })
  // Somebody revoked it by hand, as with the old token: the vendor will not do it again, and does not list it any more.
  const seen = status === 'refused' ? await gateway.list() : undefined
  const exchanges = [exchange, ...seen === undefined ? [] : [seen.exchange]]
  await record(status === 'revoked' || isGone(seen, vendorTokenId) ? orphanRevoked(vendorTokenId, exchanges) : askedInVain(job, 'revoke_orphan', exchanges))
  return undefined
}
