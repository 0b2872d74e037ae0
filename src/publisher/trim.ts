// Clears away what retired consumers left, and trims the stream: only what is past its time and acknowledged by every registered consumer, and never the last entry.
import { positionOf } from '../domain/lifecycle/entry.ts'
import type { LifecycleAlarm, LifecycleStream, RegisteredConsumer } from '../lifecycle-stream.ts'
import { least } from './least.ts'
import type { PublisherDeps } from './settings.ts'
import type { Tally } from './status.ts'

const PAGE = 1_000

type TrimDeps = Pick<PublisherDeps, 'clock' | 'retentionMs' | 'consumers' | 'retired'>

/** Throws StreamUnavailable, or what the list of consumers throws: then nothing was trimmed. */
export const trim = async (deps: TrimDeps, stream: LifecycleStream, tally: Pick<Tally, 'alarms' | 'trimmed'>): Promise<void> => {
  const consumers = await deps.consumers()
  await forgetRetired(deps, stream, consumers)
  const strangers = (await stream.groups()).filter((group) => !consumers.some((consumer) => consumer.group === group))
  const alarms: LifecycleAlarm[] = strangers.map((group) => unknownGroup(group))
  const old = await pastItsTime(stream, deps.clock.now().getTime() - deps.retentionMs)
  if (old !== undefined) {
    const acknowledged = await stream.acknowledged()
    const holding = consumers.filter(({ name }) => (acknowledged.get(name) ?? 0n) < old.newest)
    alarms.push(...holding.map((consumer) => heldBack(consumer, acknowledged.get(consumer.name))))
    const cut = holding.length === 0
      ? old
      : await pastItsTime(stream, deps.clock.now().getTime() - deps.retentionMs, least(holding.map(({ name }) => acknowledged.get(name) ?? 0n)))
    if (cut !== undefined && strangers.length === 0) {
      const answer = await stream.trim({ upTo: cut.newest, keep: cut.keep, groups: consumers.map(({ group }) => group), consumers: consumers.map(({ name }) => name) })
      if (answer.outcome === 'trimmed') tally.trimmed(answer.entries)
    }
  }
  tally.alarms('trim', alarms)
}

/** A group of a retired consumer would hold up the trimming for ever, and its old place would stand for it if it came back with nothing. */
const forgetRetired = async ({ retired = async () => [] }: TrimDeps, stream: LifecycleStream, consumers: readonly RegisteredConsumer[]): Promise<void> => {
  const gone = (await retired()).filter(({ name }) => !consumers.some((consumer) => consumer.name === name))
  if (gone.length === 0) return
  const [groups, acknowledged] = await Promise.all([stream.groups(), stream.acknowledged()])
  const left = {
    groups: gone.map(({ group }) => group).filter((group) => groups.includes(group) && !consumers.some((consumer) => consumer.group === group)),
    consumers: gone.map(({ name }) => name).filter((name) => acknowledged.has(name))
  }
  if (left.groups.length + left.consumers.length > 0) await stream.forget(left)
}

/**
 * The old beginning of the stream: the position of its newest entry, and the id of the first that stays, which may be
 * the last of all.
 * @param upTo nothing after this position counts as old
 */
const pastItsTime = async (stream: LifecycleStream, cutoffMs: number, upTo?: bigint): Promise<{ newest: bigint, keep: string } | undefined> => {
  let before: bigint | undefined
  let newest: bigint | undefined
  for (let after = '0-0'; ;) {
    const page = await stream.page(after, PAGE)
    for (const { id, fields } of page) {
      const position = positionOf(id)
      // An entry that is none of ours is the alarm's business; nothing goes that lies behind it.
      const stays = position === undefined || Number(fields['occurred_at_ms']) >= cutoffMs || (upTo !== undefined && position > upTo)
      if (stays) return newest === undefined ? undefined : { newest, keep: id }
      before = newest
      newest = position
      after = id
    }
    if (page.length < PAGE) return before === undefined ? undefined : { newest: before, keep: after }
  }
}

const unknownGroup = (group: string): LifecycleAlarm => ({
  reason: 'unknown_group',
  message: `The group ${group} of the stream belongs to no registered consumer: nothing is trimmed.`,
  hint: `Register its consumer (PUT /api/v1/lobby/consumers/{name}), or remove the group: XGROUP DESTROY … ${group}.`
})

const heldBack = ({ name }: RegisteredConsumer, acknowledged: bigint | undefined): LifecycleAlarm => ({
  reason: 'held_back',
  message: `The consumer ${name} has ${acknowledged === undefined ? 'acknowledged nothing' : `acknowledged only up to position ${acknowledged}`}: entries past their time stay for it.`,
  hint: 'Start it, or retire it if it is gone for good: POST /api/v1/lobby/consumers/{name}/retire.'
})
