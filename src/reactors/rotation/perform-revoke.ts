// Revoking: the old token on the way forward, the new one on the way back; and what the vendor's list has to show before either end.
import { setTimeout } from 'node:timers/promises'
import type { Exchange } from '../../domain/credential/fields.ts'
import type { Secret } from '../../domain/credential/secret.ts'
import type { Action } from '../../domain/rotation/actions.ts'
import { oldValueUsed } from '../../domain/rotation/old-value-used.ts'
import { aborted, abortStarted, askedInVain, done, gateClosed, newRevokeAnswered, newRevokeStarted, oldDead, refusalProbed, revokeAnswered, revokeStarted, unconfirmed } from '../../domain/rotation/outcomes.ts'
import { REFUSALS, REFUSAL_PAUSE_MS, RETRY_MS, pauseAfter } from '../../domain/rotation/rules.ts'
import { VALUE_MISSING, valueMissing } from '../../domain/rotation/sentences.ts'
import { askAgainAt } from '../../domain/rotation/vain.ts'
import type { RevokeOutcome, VendorGateway } from '../../rotation-ports.ts'
import { isGone, revokeOrphan, tellOrphans, tryNew, type Tried } from './perform-mint.ts'
import type { Performed, Turn } from './turn.ts'

/** Orphans, and uses of the old token since every consumer had proved the new one (decision 34: what the vendor's list says, nothing else). */
export const checkBeforeRevoke = async (turn: Turn): Performed => {
  const { gateway, job, record, rules } = turn
  const listed: Exchange[] = []
  if (gateway.lists) {
    const seen = await gateway.list()
    listed.push(seen.exchange)
    if (seen.status === 'failed') {
      await record(gateClosed('vendor_list_failed', [seen.exchange]))
      return undefined
    }
    if (await tellOrphans(turn, seen)) return undefined
    const usedAt = seen.tokens.find(({ tokenId }) => tokenId === job.oldValue.vendorTokenId)?.lastUsedAt
    if (oldValueUsed(turn.credential, job, usedAt, rules)) {
      await record(gateClosed('old_value_used', [seen.exchange]))
      return undefined
    }
  }
  // Proofs say that the new value is used, not that it works.
  const { works, exchanges: tried } = await tryNew(turn, job.newValue?.valueId ?? '')
  const exchanges = [...listed, ...tried]
  if (works !== true) {
    await record(gateClosed(works === undefined ? 'new_value_untried' : tried.some(isMissing) ? 'new_value_missing' : 'new_value_refused', exchanges))
    return undefined
  }
  return revokeOld(turn, 1, exchanges)
}

const isMissing = ({ failure }: Exchange): boolean => failure === VALUE_MISSING

/** `rests`: what the first time rests on. */
export const revokeOld = async ({ deps, gateway, job, claim, record, rules }: Turn, attempt: number, rests: readonly Exchange[] = []): Performed => {
  if (!await claim(revokeStarted(attempt, rules.proofMaxAgeMs, rests))) return undefined
  const { valueId, vendorTokenId: tokenId } = job.oldValue
  const { status, exchanges } = await revoked(gateway, tokenId, await deps.values.open(valueId))
  await record(revokeAnswered(attempt, status, exchanges))
  return undefined
}

/** One that is gone already, by hand or by a request whose answer was lost: the vendor will not revoke it again, and does not list it any more. */
const revoked = async (gateway: VendorGateway, tokenId: string | undefined, value: Secret | undefined): Promise<{ status: RevokeOutcome['status'], exchanges: Exchange[] }> => {
  const { status, exchange } = await gateway.revoke({ ...tokenId !== undefined && { tokenId }, value })
  if (status !== 'refused' || tokenId === undefined || !gateway.lists) return { status, exchanges: [exchange] }
  const seen = await gateway.list()
  return { status: isGone(seen, tokenId) ? 'revoked' : status, exchanges: [exchange, seen.exchange] }
}

/**
 * Tries the token that was revoked. A value that the vault does not hold cannot be tried: of the old one the vendor's list has to
 * show that it is gone; of the new one, on the way back, the vendor's word has to do.
 */
export const probeRefused = async (turn: Turn, { valueId }: Extract<Action, { kind: 'probe_refused' }>): Performed => {
  const { deps, gateway, job, record } = turn
  const value = await deps.values.open(valueId)
  if (value === undefined) {
    if (valueId === job.newValue?.valueId) return withoutTrying(turn)
    return tryByList(turn)
  }
  const { status, exchange } = await gateway.probeRefused(value)
  await record(refusalProbed(job.refusals.probes, status === 'refused', [exchange]))
  return undefined
}

const tryByList = async ({ gateway, job, record }: Turn): Performed => {
  const { vendorTokenId } = job.oldValue
  const seen = vendorTokenId !== undefined && gateway.lists ? await gateway.list() : undefined
  if (seen !== undefined && vendorTokenId !== undefined) {
    await record(refusalProbed(job.refusals.probes, isGone(seen, vendorTokenId), [seen.exchange]))
    return undefined
  }
  await record(unconfirmed)
  return RETRY_MS
}

const withoutTrying = async (turn: Turn): Performed => {
  const { orphan, newRevoking } = turn.job
  if (newRevoking === undefined) return RETRY_MS
  const again = askAgainAt(turn.job, 'revoke_orphan', 'end_abort') - turn.deps.clock.now().getTime()
  if (again > 0) return again
  if (orphan !== undefined) return revokeOrphan(turn, { kind: 'revoke_orphan', vendorTokenId: orphan.vendorTokenId })
  if (newRevoking.answer === 'revoked') return endAbort(turn, true)
  const left = Date.parse(newRevoking.startedAt) + pauseAfter(newRevoking.attempt) - turn.deps.clock.now().getTime()
  return left > 0 ? left : revokeNew(turn, newRevoking.attempt + 1)
}

export const tellUnconfirmed = async ({ record }: Turn): Performed => {
  await record(unconfirmed)
  return undefined
}

/** The list is looked at once more before the end: an orphan that came late is revoked first (decision 31). */
export const finish = async (turn: Turn): Performed => {
  const clean = await cleanList(turn, 'finish')
  if (clean !== undefined) await turn.record(done(turn.rules.valueGraceMs, clean))
  return undefined
}

/** What showed that nothing of ours is left that nobody holds; undefined if it did not, which is recorded then. */
const cleanList = async (turn: Turn, end: 'finish' | 'end_abort'): Promise<Exchange[] | undefined> => {
  if (!turn.gateway.lists) return []
  const seen = await turn.gateway.list()
  if (seen.status === 'listed') return await tellOrphans(turn, seen) ? undefined : [seen.exchange]
  await turn.record(askedInVain(turn.job, end, [seen.exchange]))
  return undefined
}

/** Tried before anything is given back: to go back to a dead value would leave nobody with one that works (decision 33). */
export const checkOld = async (turn: Turn): Performed => {
  const { deps, gateway, job, claim, record } = turn
  const old = await tryOld(turn)
  if (old.works === undefined) await record(askedInVain(job, 'check_old', old.exchanges))
  else if (old.works) await claim(abortStarted(old.exchanges))
  else if (old.exchanges.some(isMissing)) await record(oldDead(old.exchanges))
  else {
    // With the new value dead as well, going forward leads nowhere either. A vendor that has a bad moment does not count: it has to be refused.
    const newValue = job.newValue && await deps.values.open(job.newValue.valueId)
    const tried = newValue && await tryAgain(deps, gateway, newValue)
    const exchanges = [...old.exchanges, ...tried?.exchanges ?? []]
    if (tried !== undefined && tried.works === undefined) await record(askedInVain(job, 'check_old', exchanges))
    else if (tried?.works === true) await record(oldDead(old.exchanges))
    else await claim(abortStarted(exchanges, true))
  }
  return undefined
}

/** Does the vendor accept the old value? Nothing may rest on an answer of long ago. */
const tryOld = async ({ deps, gateway, job }: Turn): Promise<Tried> => {
  const value = await deps.values.open(job.oldValue.valueId)
  return value === undefined ? { works: false, exchanges: [valueMissing(deps.clock.now())] } : tryAgain(deps, gateway, value)
}

/** Dead is what is refused as often in a row as the token that was revoked has to be: a vendor may have a bad moment. */
const tryAgain = async ({ pause = setTimeout }: Turn['deps'], gateway: VendorGateway, value: Secret): Promise<Tried> => {
  const exchanges: Exchange[] = []
  for (;;) {
    const { status, exchange } = await gateway.probeRefused(value)
    exchanges.push(exchange)
    if (status !== 'refused') return { works: status === 'accepted' ? true : undefined, exchanges }
    if (exchanges.length === REFUSALS) return { works: false, exchanges }
    await pause(REFUSAL_PAUSE_MS)
  }
}

export const revokeNew = async (turn: Turn, attempt: number): Performed => {
  const { deps, gateway, job, claim, record } = turn
  const { newValue } = job
  // Proofs say that the old value is used, not that it still works. Who was given nothing back waits for nothing.
  const rests = attempt === 1 && job.state === 'aborting' && (job.abort?.giveBack.length ?? 0) > 0
  const old = rests ? await tryOld(turn) : { works: true, exchanges: [] }
  if (old.works !== true) {
    await record(old.works === false ? oldDead(old.exchanges) : askedInVain(job, 'revoke_new', old.exchanges))
    return undefined
  }
  if (newValue === undefined || !await claim(newRevokeStarted(attempt, old.exchanges))) return undefined
  const { valueId, vendorTokenId: tokenId } = newValue
  const { status, exchanges } = await revoked(gateway, tokenId, await deps.values.open(valueId))
  await record(newRevokeAnswered(attempt, status, exchanges))
  return undefined
}

export const endAbort = async (turn: Turn, untried = false): Performed => {
  const { job, record, rules } = turn
  const clean = job.minting === undefined || (job.minting.status === 'requested' && !job.wasUnknown) ? [] : await cleanList(turn, 'end_abort')
  if (clean !== undefined) await record(aborted(rules.valueGraceMs, untried, clean))
  return undefined
}
