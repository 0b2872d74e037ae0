// Stage 1, and minting: each request to the vendor once, its outcome recorded, what is unknown settled by the vendor's list.
import { credentialAggregate } from '../../domain/credential/credential.ts'
import { Secret } from '../../domain/credential/secret.ts'
import type { Action } from '../../domain/rotation/actions.ts'
import { labelOf, leftovers } from '../../domain/rotation/leftovers.ts'
import { mintNotAsked, mintRefused, mintSettled, mintStarted, mintUnknown, minted, orphanFound, orphanRevoked, verified } from '../../domain/rotation/outcomes.ts'
import { RETRY_MS } from '../../domain/rotation/rules.ts'
import type { MintOutcome } from '../../rotation-ports.ts'
import type { Performed, Turn } from './turn.ts'

type Of<K extends Action['kind']> = Extract<Action, { kind: K }>

export const verify = async ({ deps, gateway, record }: Turn, { attempt, valueId, replace }: Of<'verify'>): Performed => {
  const value = await deps.values.open(valueId)
  // A dead value is not tried, so it need not be there; else there is nothing to try.
  const exchanges = value === undefined && !replace ? [] : await gateway.verify(value ?? new Secret(''), { replace })
  await record(verified(attempt, exchanges))
  return undefined
}

/** What a fact can hold of a vendor's list. */
const MOST_KNOWN = 1_000

export const mint = async (turn: Turn, { attempt }: Of<'mint'>): Performed => {
  const { deps, gateway, job, memory, claim, record } = turn
  const before = gateway.lists ? await gateway.list() : undefined
  // Without a list an unknown outcome could not be settled: better nothing is minted.
  if (before?.status === 'failed') {
    await record(mintNotAsked(attempt, [before.exchange]))
    return undefined
  }
  const unlabelled = before !== undefined && before.tokens.every(({ label }) => label === undefined) && before.tokens.length <= MOST_KNOWN
  const valueId = deps.ids.derive('minted', job.rotationId, String(attempt), deps.holder)
  const label = labelOf(job.rotationId, attempt)
  const started = mintStarted(attempt, { valueId, label, ...unlabelled && { knownTokenIds: before.tokens.map(({ tokenId }) => tokenId) } }, before === undefined ? [] : [before.exchange])
  if (!await claim(started)) return undefined
  const outcome = await gateway.mint({ label, valueId })
  memory.rest = async () => {
    await recordMinting(turn, attempt, valueId, outcome)
    memory.rest = undefined
  }
  await memory.rest()
  return undefined
}

/** The value is in the vault before the fact says that it was minted (decision 31). */
const recordMinting = async ({ deps, credential, record }: Turn, attempt: number, valueId: string, outcome: MintOutcome): Promise<void> => {
  const exchanges = [outcome.exchange]
  if (outcome.status !== 'minted') {
    await record(outcome.status === 'refused' ? mintRefused(attempt, valueId, exchanges) : mintUnknown(attempt, valueId, exchanges))
    return
  }
  const { secret, tokenId, expiresAt } = outcome
  const { values } = deps
  await values.put({ valueId, credential: credential.name, secret })
  const value = { valueId, fingerprint: values.fingerprint(secret), ...tokenId !== undefined && { vendorTokenId: tokenId }, ...expiresAt !== undefined && { expiresAt } }
  const { appended } = await record(minted(attempt, value, exchanges))
  // Given up meanwhile by another process, which revokes the token as an orphan; a repeat of our own append changes nothing.
  if (!appended && !await isOurs(deps, credential.name, valueId)) await values.destroy(valueId)
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
export const settleMint = async ({ deps, gateway, job, record }: Turn): Performed => {
  if (!gateway.lists) {
    await record(mintSettled(job, []))
    return undefined
  }
  const seen = await gateway.list()
  if (seen.status === 'failed') return RETRY_MS
  const [orphan] = leftovers(job, seen.tokens)
  if (orphan !== undefined) {
    await record(orphanFound(job, orphan, [seen.exchange]))
    return undefined
  }
  const changedAt = Math.max(Date.parse(job.minting?.at ?? ''), Date.parse(job.orphanAt ?? job.minting?.at ?? ''))
  const left = changedAt + 2 * gateway.timeLimitMs - deps.clock.now().getTime()
  if (left > 0) return left
  await record(mintSettled(job, [seen.exchange]))
  return undefined
}

export const revokeOrphan = async ({ gateway, record }: Turn, { vendorTokenId }: Of<'revoke_orphan'>): Performed => {
  const { status, exchange } = await gateway.revoke({ tokenId: vendorTokenId, value: undefined })
  if (status !== 'revoked') return RETRY_MS
  await record(orphanRevoked(vendorTokenId, [exchange]))
  return undefined
}
