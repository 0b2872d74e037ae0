// For tests of crashes: an event store that kills its own process before or after one kind of append.
import type { EventStore } from '../src/ports.ts'

/** `append.before:<event type>:kill` or `append.after:<event type>:kill`; `after` means: on disk, and nobody was told. */
const form = /^append\.(before|after):([a-z0-9._]+):kill$/

/** Wraps the store if a failpoint is set; throws if it is not of the form above. */
export const withFailpoint = (events: EventStore, failpoint: string | undefined): EventStore => {
  if (failpoint === undefined || failpoint.startsWith('publisher.')) return events
  const [, moment, type] = form.exec(failpoint) ?? []
  if (moment === undefined) throw new Error(`not a failpoint: ${failpoint}`)
  const die = () => process.kill(process.pid, 'SIGKILL')
  const append: EventStore['append'] = async (stream, expected, facts) => {
    const hit = facts.some((fact) => fact.type === type)
    if (hit && moment === 'before') die()
    const appended = await events.append(stream, expected, facts)
    if (hit) die()
    return appended
  }
  return { ...events, append }
}

/** For moments that are no append: dies at the one that the failpoint names (`publisher.after_append:kill`). */
export const failpointOf = (failpoint: string | undefined) => (moment: string): void => {
  if (failpoint === `${moment}:kill`) process.kill(process.pid, 'SIGKILL')
}
