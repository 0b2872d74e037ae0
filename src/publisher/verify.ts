// Compares the stream with the log over the retained window: what is missing, extra, different or out of order.
import { canonicalEntry, entryIdOf, positionOf, type LifecycleEvent } from '../domain/lifecycle/entry.ts'
import { isLifecycleType } from '../domain/lifecycle/fields.ts'
import { UnreadableEvent } from '../log-errors.ts'
import type { LifecycleStream, Mismatch, StreamEntry, StreamState, Verification } from '../lifecycle-stream.ts'
import { entryOf } from './entries.ts'
import { EMPTY } from './place.ts'
import type { PublisherDeps } from './settings.ts'
import { windowStart } from './window.ts'

export type VerifyDeps = Pick<PublisherDeps, 'events' | 'clock' | 'retentionMs' | 'sign'> & {
  /**
   * Asked before the stream is looked at: which of the events behind its end should be in it by then. The others are on
   * their way.
   */
  overdue: () => (event: LifecycleEvent) => boolean
}

const PAGE = 500
const SAMPLES = 20

/** What a comparison without findings leaves behind, so that the next one need only look at what came after. */
interface Proven { state: StreamState, position: bigint }

export interface Verifier {
  /** @param whole false: only what came since the last comparison, where nothing else can have changed */
  verify (whole: boolean): Promise<Verification>
}

export const createVerifier = (deps: VerifyDeps, stream: LifecycleStream, signal: AbortSignal): Verifier => {
  let proven: Proven | undefined

  const attempt = async (since: Proven | undefined): Promise<Verification> => {
    const began = performance.now()
    const overdue = deps.overdue()
    const state = await stream.state()
    const after = since !== undefined && continues(since.state, state) ? since : undefined
    const from = after?.position ?? await startOf(deps, state)
    const found = await compare(deps, stream, { from, state, overdue, signal })
    // What was added has to be what was found: else the stream is another one between the same ends.
    if (after !== undefined && state.added - after.state.added !== found.entries) return attempt(undefined)
    proven = found.samples.length === 0 ? { state, position: found.to } : undefined
    return { from, ...found, at: deps.clock.now(), tookMs: Math.round(performance.now() - began) }
  }

  return {
    verify: async (whole) => {
      const found = await attempt(whole ? undefined : proven)
      // Trimmed or begun anew while it was compared: what is really wrong is wrong twice.
      return found.samples.length === 0 ? found : attempt(undefined)
    }
  }
}

/** True if nothing but appending and trimming can lie between two looks at the stream. */
const continues = (before: StreamState, now: StreamState): boolean =>
  now.maxDeleted === before.maxDeleted && now.added >= before.added && before.first !== undefined && now.first !== undefined &&
  compareIds(now.first.id, before.first.id) >= 0 && compareIds(now.tail, before.tail) >= 0

/** Clocks of several processes may differ by so much when they judge what is past its time. */
const SLACK_MS = 60_000

/** Before the retained window, or before the first entry, if that is older. */
const startOf = async ({ events, clock, retentionMs }: VerifyDeps, { first }: StreamState): Promise<bigint> => {
  const commit = BigInt(first?.id.split('-')[0] ?? 0)
  const { previous } = await windowStart(events, { cutoffMs: clock.now().getTime() - retentionMs + SLACK_MS, ...commit > 0n && { needed: commit - 1n } })
  return previous
}

const compareIds = (a: string, b: string): number => {
  const [ac = 0n, ap = 0n] = a.split('-').map(BigInt)
  const [bc = 0n, bp = 0n] = b.split('-').map(BigInt)
  return ac === bc ? Number(ap > bp) - Number(ap < bp) : ac > bc ? 1 : -1
}

interface Range { from: bigint, state: StreamState, overdue: (event: LifecycleEvent) => boolean, signal: AbortSignal }

/** Walks both in order, up to where the stream ended when it was looked at, and on through what should be there by now. */
const compare = async (deps: VerifyDeps, stream: LifecycleStream, { from, state, overdue, signal }: Range) => {
  const findings = createFindings()
  const tail = positionOf(state.tail)
  const own = tail !== undefined && tail > 0n && isLifecycleType((await deps.events.at(tail))?.type ?? '')
  // An empty stream ends before everything. Behind a strange end nothing is published, so what the log has there is only late.
  const end = own ? tail : state.tail === EMPTY ? 0n : undefined
  const entries = pages(stream, from === 0n ? '0-0' : entryIdOf(from), state.tail)
  const next = async () => (await entries.next()).value ?? undefined
  let entry = await next()
  let previous = from
  let read = 0
  let passedOver = 0
  let maybeLate: Mismatch[] = []
  const passExtra = async (strange: StreamEntry) => {
    read++
    findings.add({ kind: 'extra', entryId: strange.id, eventId: strange.fields['event_id'] ?? '' })
    return next()
  }
  for await (const event of lifecycleEvents(deps.events, from)) {
    if (signal.aborted) break
    if (end !== undefined && event.position > end) {
      if (!overdue(event)) break
      passedOver++
      findings.add({ kind: 'missing', entryId: entryIdOf(event.position), eventId: event.id })
      continue
    }
    const expected = entryOf(event, previous, stream.key, deps.sign)
    while (entry !== undefined && compareIds(entry.id, expected.id) < 0) entry = await passExtra(entry)
    if (entry?.id === expected.id) {
      for (const missing of maybeLate) findings.add(missing)
      maybeLate = []
      read++
      if (!isSame(entry, expected, stream.key)) findings.add({ kind: 'different', entryId: entry.id, eventId: event.id })
      entry = await next()
      previous = event.position
      continue
    }
    maybeLate.push({ kind: 'missing', entryId: expected.id, eventId: event.id })
    previous = event.position
  }
  while (entry !== undefined) entry = await passExtra(entry)
  if (own) for (const missing of maybeLate) findings.add(missing)
  return { to: own ? tail : previous, entries: read, passedOver, ...findings.counts(), samples: findings.samples() }
}

const createFindings = () => {
  const byEvent = new Map<string, Mismatch>()
  const all: Mismatch[] = []
  const count = (kind: Mismatch['kind']) => all.filter((mismatch) => mismatch.kind === kind).length
  return {
    add: (mismatch: Mismatch): void => {
      const twin = byEvent.get(mismatch.eventId)
      const pair = [twin?.kind, mismatch.kind]
      // Missing at its own place and there at another: one finding, not two.
      if (twin !== undefined && pair.includes('missing') && pair.includes('extra')) twin.kind = 'out_of_order'
      else {
        all.push(mismatch)
        byEvent.set(mismatch.eventId, mismatch)
      }
    },
    counts: () => ({ missing: count('missing'), extra: count('extra'), different: count('different'), outOfOrder: count('out_of_order') }),
    samples: () => all.slice(0, SAMPLES)
  }
}

const isSame = (entry: StreamEntry, expected: StreamEntry, stream: string): boolean => canonical(entry, stream) === canonical(expected, stream)
const canonical = ({ id, fields }: StreamEntry, stream: string): string =>
  canonicalEntry(fields as unknown as Parameters<typeof canonicalEntry>[0], { entryId: id, stream })

async function * pages (stream: LifecycleStream, after: string, to: string): AsyncGenerator<StreamEntry, undefined, undefined> {
  for (let from = after; ;) {
    const page = await stream.page(from, PAGE)
    for (const entry of page) {
      if (compareIds(entry.id, to) > 0) return undefined
      yield entry
    }
    const last = page.at(-1)
    if (last === undefined || page.length < PAGE) return undefined
    from = last.id
  }
}

async function * lifecycleEvents (events: VerifyDeps['events'], from: bigint): AsyncGenerator<LifecycleEvent, void, undefined> {
  for (let after = from; ;) {
    try {
      for await (const event of events.readAll(after === 0n ? {} : { after })) {
        after = event.position
        if (isLifecycleType(event.type)) yield event as LifecycleEvent
      }
      return
    } catch (error) {
      if (!(error instanceof UnreadableEvent) || isLifecycleType(error.eventType)) throw error
      after = error.position
    }
  }
}
