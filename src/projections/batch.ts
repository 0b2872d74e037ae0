// One batch in one transaction: the checkpoint first, then the rows.
import { categoryOf, type LogEvent } from '../domain/catalogue.ts'
import { errorName } from '../error-name.ts'
import { UnreadableEvent } from '../log-errors.ts'
import type { Connection, EventStore } from '../ports.ts'
import type { ProjectionAlarm } from '../queries.ts'
import type { Projector } from './define.ts'
import { collect, load, statementsOf } from './fold.ts'
import { advance, pass, physicalName, type Generation } from './generations.ts'

/** An event of ours on its way to the read models: readable, or known only by its place. */
export type Item = { position: bigint, id: string, created: Date } & ({ event: LogEvent } | { unreadable: UnreadableEvent })

/** Stops one projector at one event. */
export class Poison extends Error {
  readonly alarm: ProjectionAlarm

  constructor (alarm: ProjectionAlarm, options?: ErrorOptions) {
    super(alarm.message, options)
    this.name = 'Poison'
    this.alarm = alarm
  }
}

export const itemOf = (event: LogEvent): Item => ({ position: event.position, id: event.id, created: event.created, event })

/** Looks up what stands where an event could not be read, so that those whom it does not concern can go past it. */
export const unreadableItem = async (log: EventStore, unreadable: UnreadableEvent): Promise<Item> => {
  const raw = await log.at(unreadable.position)
  if (raw === undefined) throw unreadable
  return { position: raw.position, id: raw.id, created: raw.created, unreadable }
}

/** Why this projector cannot go past an item; undefined if it can. */
export const blockedBy = (projector: Projector, item: Item): Poison | undefined =>
  'unreadable' in item && projector.concerns(categoryOf(item.unreadable.stream)) ? poisonOf(projector, item, item.unreadable) : undefined

/** The items before the first one that this projector cannot go past. Throws Poison if that is the very first. */
export const passable = (projector: Projector, items: readonly Item[]): readonly Item[] => {
  const end = items.findIndex((item) => blockedBy(projector, item) !== undefined)
  const first = items[0]
  const poison = end === 0 && first !== undefined ? blockedBy(projector, first) : undefined
  if (poison !== undefined) throw poison
  return end === -1 ? items : items.slice(0, end)
}

/** Ours in the log after a position, to its end; what cannot be read is told by its place. */
export async function * itemsOf (log: EventStore, after: bigint | null): AsyncGenerator<Item, void, undefined> {
  let from = after
  for (;;) {
    try {
      for await (const event of log.readAll(from === null ? {} : { after: from })) {
        from = event.position
        yield itemOf(event)
      }
      return
    } catch (error) {
      if (!(error instanceof UnreadableEvent)) throw error
      const item = await unreadableItem(log, error)
      from = item.position
      yield item
    }
  }
}

/** The alarm for an item at which `error` happened. The message of a handler's error may hold data, so only its name is told. */
export const poisonOf = (projector: Projector, item: Item, error: unknown): Poison => {
  const { stream, revision, type } = 'event' in item
    ? item.event
    : { stream: item.unreadable.stream, revision: item.unreadable.revision, type: item.unreadable.eventType }
  const place = { stream, revision: String(revision), position: String(item.position), type }
  const at = `${type} at ${stream}@${revision} (position ${item.position})`
  return new Poison(error instanceof UnreadableEvent
    ? { projection: projector.name, reason: 'unreadable_event', message: error.message, hint: 'Deploy a version whose catalogue reads this event, then restart.', ...place }
    : { projection: projector.name, reason: 'handler_failed', message: `the handler of ${projector.name} failed (${errorName(error)}) on ${at}`, hint: 'Deploy a corrected projector with a higher version, then restart.', ...place },
  { cause: error })
}

/**
 * Applies items to the tables of `generation` and moves its checkpoint, both or neither.
 * @returns the checkpoint as it stands then, or undefined if somebody else had moved it
 * @throws what a handler threw; pg errors, after which the outcome may be unknown: read the checkpoint again
 */
export const applyBatch = async (
  connection: Connection, projector: Projector, generation: Generation, items: readonly Item[]
): Promise<Generation | undefined> => {
  const last = items.at(-1)
  if (last === undefined) return generation
  const events = items.flatMap((item) => 'event' in item ? [item.event] : [])
  const work = collect(projector, (table) => physicalName(table, generation), events)
  const to = { readTo: last.position, event: last }
  const next = { ...generation, read_to: last.position, position: last.position, event_id: last.id, event_created: last.created.toISOString(), alarm: null }
  if (work.every(({ entries }) => entries.size === 0)) return await pass(connection, generation, generation.read_to, to) ? next : undefined
  try {
    const [begun, moved, loaded] = await Promise.allSettled([
      connection.query('begin'), advance(connection, generation, generation.read_to, to), load(connection, work)
    ])
    // Looked at before any other failure: whoever moved it may have switched to other tables and dropped these.
    if (moved.status === 'fulfilled' && !moved.value) {
      await connection.query('rollback')
      return undefined
    }
    for (const outcome of [begun, moved, loaded]) if (outcome.status === 'rejected') throw outcome.reason
    const answers = await Promise.all([
      ...statementsOf(work).map(({ text, values, name }) => connection.query(text, values, name)), connection.query('commit')
    ])
    if (answers.at(-1)?.command !== 'COMMIT') throw new Error('Postgres rolled the batch back')
  } catch (error) {
    await connection.query('rollback').catch(() => {})
    throw error
  }
  return next
}
