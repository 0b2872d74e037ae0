// Revoking: the old token on the way forward, the new one on the way back; and what the vendor's list has to show before either end.
import type { Action } from '../../domain/rotation/actions.ts'
import { aborted, abortStarted, done, gateClosed, newRevokeAnswered, newRevokeStarted, oldDead, refusalProbed, revokeAnswered, revokeStarted, unconfirmed } from '../../domain/rotation/outcomes.ts'
import { RETRY_MS, pauseAfter } from '../../domain/rotation/rules.ts'
import { isGone, revokeOrphan, tellOrphans, tryNew } from './perform-mint.ts'
import type { Performed, Turn } from './turn.ts'

/** Orphans, and uses of the old token since every consumer had proved the new one (decision 34: what the vendor's list says, nothing else). */
export const checkBeforeRevoke = async (turn: Turn): Performed => {
  const { gateway, job, record } = turn
  if (gateway.lists) {
    const seen = await gateway.list()
    if (seen.status === 'failed') {
      await record(gateClosed('vendor_list_failed', [seen.exchange]))
      return undefined
    }
    if (await tellOrphans(turn, seen)) return undefined
    const usedAt = seen.tokens.find(({ tokenId }) => tokenId === job.oldValue.vendorTokenId)?.lastUsedAt
    if (usedAt !== undefined && job.validatedAt !== undefined && Date.parse(usedAt) > Date.parse(job.validatedAt)) {
      await record(gateClosed('old_value_used', [seen.exchange]))
      return undefined
    }
  }
  // Proofs say that the new value is used, not that it works.
  const { works, exchanges } = await tryNew(gateway, job.newValue && await turn.deps.values.open(job.newValue.valueId))
  if (works !== true) {
    await record(gateClosed(works === false ? 'new_value_refused' : 'new_value_untried', exchanges))
    return undefined
  }
  return revokeOld(turn, 1)
}

export const revokeOld = async ({ deps, gateway, job, claim, record }: Turn, attempt: number): Performed => {
  if (!await claim(revokeStarted(attempt))) return undefined
  const { valueId, vendorTokenId: tokenId } = job.oldValue
  const { status, exchange } = await gateway.revoke({ ...tokenId !== undefined && { tokenId }, value: await deps.values.open(valueId) })
  const seen = status === 'refused' && tokenId !== undefined && gateway.lists ? await gateway.list() : undefined
  // Somebody revoked it by hand: the vendor will not do it again, and does not list it any more.
  const byHand = tokenId !== undefined && isGone(seen, tokenId)
  await record(revokeAnswered(attempt, byHand ? 'revoked' : status, [exchange, ...seen === undefined ? [] : [seen.exchange]]))
  return undefined
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
  if (vendorTokenId !== undefined && isGone(seen, vendorTokenId)) {
    await record(refusalProbed(job.refusals.probes, true, [seen.exchange]))
    return undefined
  }
  await record(unconfirmed)
  return RETRY_MS
}

const withoutTrying = async (turn: Turn): Performed => {
  const { orphan, newRevoking } = turn.job
  if (newRevoking === undefined) return RETRY_MS
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
  const wait = await listIsClean(turn)
  if (wait !== 'clean') return wait
  await turn.record(done(turn.rules.valueGraceMs))
  return undefined
}

const listIsClean = async (turn: Turn): Promise<'clean' | number | undefined> => {
  if (!turn.gateway.lists) return 'clean'
  const seen = await turn.gateway.list()
  if (seen.status === 'failed') return RETRY_MS
  return await tellOrphans(turn, seen) ? undefined : 'clean'
}

/** Tried before anything is given back: to go back to a dead value would leave nobody with one that works (decision 33). */
export const checkOld = async ({ deps, gateway, job, claim, record }: Turn): Performed => {
  const value = await deps.values.open(job.oldValue.valueId)
  if (value === undefined) {
    await record(oldDead([]))
    return undefined
  }
  const { status, exchange } = await gateway.probeRefused(value)
  if (status === 'unknown') return RETRY_MS
  if (status === 'accepted') {
    await claim(abortStarted([exchange]))
    return undefined
  }
  // With the new value dead as well, going forward leads nowhere either. A vendor that has a bad moment does not count: it has to be refused.
  const newValue = job.newValue && await deps.values.open(job.newValue.valueId)
  const tried = newValue && await gateway.probeRefused(newValue)
  if (tried?.status === 'unknown') return RETRY_MS
  if (tried?.status === 'accepted') await record(oldDead([exchange]))
  else await claim(abortStarted([exchange, ...tried === undefined ? [] : [tried.exchange]], true))
  return undefined
}

export const revokeNew = async ({ deps, gateway, job, claim, record }: Turn, attempt: number): Performed => {
  const { newValue } = job
  if (newValue === undefined || !await claim(newRevokeStarted(attempt))) return undefined
  const { valueId, vendorTokenId: tokenId } = newValue
  const { status, exchange } = await gateway.revoke({ ...tokenId !== undefined && { tokenId }, value: await deps.values.open(valueId) })
  await record(newRevokeAnswered(attempt, status, [exchange]))
  return undefined
}

export const endAbort = async (turn: Turn, untried = false): Performed => {
  const { job, record, rules } = turn
  const wait = job.minting === undefined || job.minting.status === 'requested' ? 'clean' : await listIsClean(turn)
  if (wait !== 'clean') return wait
  await record(aborted(rules.valueGraceMs, untried))
  return undefined
}
