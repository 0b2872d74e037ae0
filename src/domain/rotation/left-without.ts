// Who joined while the old token was being revoked, and may have no value that works: nothing waited for it, so it is said (ADR 0195).
import type { KnownCredential } from '../credential/state.ts'
import { isGivenUp } from './due-deliveries.ts'
import { namesOf } from './standing.ts'
import type { ConsumerState, Job } from './state.ts'

/** So many names stand in a sentence; the view has all. */
const FEW = 5

/** Required by the manifest that holds, and not proved to use the new value, after which nothing is revoked any more. */
const required = ({ manifest }: KnownCredential, { consumers }: Job): ConsumerState[] => manifest.consumers
  .flatMap((subscriber) => subscriber.required ? consumers.get(subscriber.consumer) ?? [] : [])
  .filter(({ provedAt }) => provedAt === undefined)

/** An alarm: those that did not take it, as soon as nobody tries any more. Undefined if there are none. */
export const leftWithout = (credential: KnownCredential, job: Job): string | undefined => {
  const over = job.state === 'done'
  if (!over && job.revoking === undefined) return undefined
  const names = namesOf(required(credential, job).filter((consumer) => over ? consumer.status !== 'succeeded' : isGivenUp(consumer)))
  return names.length === 0
    ? undefined
    : `${inWords(names)}: required, and did not take the new value, while the old one ${over ? 'works no more' : 'is being revoked'}. Mend and restart it: it fetches the value in use with its own token, also when no rotation is open. Or rotate once more.`
}

/** Those that said that they took it: nobody asked them for a proof. Undefined if there are none, or it is not over yet. */
export const leftUnproved = (credential: KnownCredential, job: Job): string | undefined => {
  const names = job.state !== 'done' ? [] : namesOf(required(credential, job).filter(({ status }) => status === 'succeeded'))
  return names.length === 0 ? undefined : `Given the new value and not asked to prove it, since the old token was being revoked already: ${inWords(names)}. Look whether it works.`
}

const inWords = (names: readonly string[]): string => `${names.slice(0, FEW).join(', ')}${names.length > FEW ? ` and ${names.length - FEW} more` : ''}`
