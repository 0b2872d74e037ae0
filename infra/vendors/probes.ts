// Stage 1's probes: asked one after the other, and at the end whether the vendor refuses a value that nobody has.
import { randomBytes, randomInt } from 'node:crypto'
import { holdsUp, type Exchange } from '../../src/domain/credential/fields.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { VendorGateway } from '../../src/rotation-ports.ts'

/** Asks one after the other, and stops at the first that does not pass. */
export const inOrder = async (probes: ReadonlyArray<() => Promise<{ exchange: Exchange }>>): Promise<Exchange[]> => {
  const exchanges: Exchange[] = []
  for (const probe of probes) {
    const { exchange } = await probe()
    exchanges.push(exchange)
    if (!holdsUp(exchange)) break
  }
  return exchanges
}

/**
 * Tries a value made up at random, once: vendors count failed logins. It has to be refused as the old value will have to be, or the
 * rotation would stand in `revoking` for ever (ADR 0186). `random_accepted`: it was let in; `no_refusal`: the answer is neither yes nor a refusal.
 */
export const refusesRandom = (probeRefused: VendorGateway['probeRefused'], random: Secret) => async (): Promise<{ exchange: Exchange }> => {
  const { status, exchange: { failure, ...exchange } } = await probeRefused(random)
  const probe = 'refuses_random'
  if (status === 'refused') return { exchange: { ...exchange, probe, outcome: 'passed' } }
  if (exchange.answer === undefined) return { exchange: { ...exchange, probe, outcome: 'unknown', ...failure !== undefined && { failure } } }
  return { exchange: { ...exchange, probe, outcome: 'failed', failure: status === 'accepted' ? 'random_accepted' : 'no_refusal' } }
}

const DIGITS = '0123456789'
const LETTERS = 'abcdefghijklmnopqrstuvwxyz'
/** Fewer letters and digits than these have no form that is worth keeping, and could be hit by chance. */
const LEAST = 8

/**
 * A random value of the same form: length, punctuation and kinds of characters stay, so that a vendor does not take it for something
 * else altogether. So does a leading word like `sk_live_`, which says what kind of token it is.
 */
export const lookalike = (value: Secret): Secret => {
  const text = value.reveal()
  const [word = ''] = /^(?:[A-Za-z]{1,12}[-_])+/.exec(text) ?? []
  const kept = variable(text.slice(word.length)) < 2 * LEAST ? '' : word
  const rest = text.slice(kept.length)
  if (variable(rest) < LEAST) return randomPassword()
  const letters = /^[0-9a-f-]+$/i.test(rest) ? LETTERS.slice(0, 6) : LETTERS
  return new Secret(kept + rest.replaceAll(/[a-z0-9]/gi, (character) => {
    if (/\d/.test(character)) return oneOf(DIGITS)
    return /[a-z]/.test(character) ? oneOf(letters) : oneOf(letters).toUpperCase()
  }))
}

/** 256 random bits, and no character that a connection string would have to escape. */
export const randomPassword = (): Secret => new Secret(randomBytes(32).toString('base64url'))

const variable = (text: string): number => text.replaceAll(/[^a-z0-9]/gi, '').length
const oneOf = (characters: string): string => characters[randomInt(characters.length)] ?? ''
