// Keeps the serving generation of one read model up to the log: works, or stands by while another process does.
import { performance } from 'node:perf_hooks'
import { categoryOf } from '../domain/catalogue.ts'
import type { Connection, Database, EventStore } from '../ports.ts'
import type { ProjectionAlarm } from '../queries.ts'
import { applyBatch, passable, Poison, poisonOf, type Item } from './batch.ts'
import { forkOf } from './checkpoint.ts'
import type { Projector } from './define.ts'
import { advance, generationAt, generationsOf, noteAlarm, type Generation } from './generations.ts'
import { createBackoff, type EngineHooks, type EngineSettings } from './settings.ts'
import { createBell, createGathering, createTurns, pause } from './waiting.ts'

export type Doing = 'starting' | 'works' | 'stands_by' | 'retries' | 'stopped'

export interface Worker {
  readonly projector: Projector
  readonly doing: Doing
  /** The checkpoint as this process knows it; undefined before a generation of this version serves. */
  readonly generation: Generation | undefined
  readonly alarm: ProjectionAlarm | undefined
  /**
   * Forgets what was offered, reads the checkpoint and checks it against the log.
   * @returns the checkpoint from which it needs the log, or 'idle' if it has nothing to do
   */
  prepare (): Promise<Generation | 'idle'>
  /** Takes an item; a promise if it is full, resolved when there is room again. */
  offer (item: Item): Promise<void> | undefined
  /** Lets go of whoever waits for room. */
  release (): void
  /** Everything up to here was looked at. */
  lookedAt (position: bigint): void
  /** Somebody waits: what was gathered so far is applied now. */
  hurry (): void
  close (): Promise<void>
}

export interface WorkerOptions extends EngineHooks {
  projector: Projector
  database: Database
  log: EventStore
  settings: EngineSettings
  /** True while somebody waits for a position. */
  awaited: () => boolean
  /** The checkpoint moved, whoever moved it. */
  onAdvance: () => void
  /** What was offered does not join the checkpoint: the log is to be read from another position. */
  onGap: () => void
}

/** Events from which on a batch is worth a transaction of its own. */
const FEW = 50
/** On a machine that is short of time what follows is gathered for so many times what the last batch took, in ms at the most. */
const SHARE = 2
const LONGEST_GATHERING = 50

export const createWorker = ({ projector, database, log, settings, logger, onAlarm, onBatch, awaited, onAdvance, onGap }: WorkerOptions): Worker => {
  const inTurn = createTurns()
  const bell = createBell()
  const backoff = createBackoff(settings.backoff)
  const closing = new AbortController()
  let doing: Doing = 'starting'
  let generation: Generation | undefined
  let alarm: ProjectionAlarm | undefined
  let connection: Connection | undefined
  let items: Item[] = []
  let room: (() => void) | undefined
  /** Position of the last event that left `items`, or that the checkpoint rests on: what waits follows it without a gap. */
  let joined: bigint | null = null
  let looked: bigint | undefined
  /** Events to apply one at a time, to find the one that a batch failed on. */
  let careful = 0
  let movedAt = 0
  let waitingSince = 0
  let appliedAt = -Infinity
  let tookMs = 0

  const drop = (count: number): void => {
    if (count === 0) return
    joined = items[count - 1]?.position ?? joined
    items = items.slice(count)
    if (items.length < settings.buffer) room?.()
  }

  const forget = (): void => {
    items = []
    looked = undefined
    room?.()
  }

  const stop = async (at: Generation, why: ProjectionAlarm): Promise<void> => {
    const known = alarm?.message === why.message
    doing = 'stopped'
    alarm = why
    forget()
    await noteAlarm(database, at, why).catch(() => {})
    if (known) return
    logger.error({ ...why }, `projection ${projector.name} stopped: ${why.message}`)
    onAlarm?.(why)
  }

  /** Reads the checkpoint again, and leaves what it covers. */
  const reload = async (at: Generation): Promise<Generation | undefined> => {
    const found = await generationAt(connection ?? database, at.name, at.generation)
    if (found?.state !== 'serving') {
      onGap()
      return undefined
    }
    if (found.read_to !== at.read_to) movedAt = performance.now()
    const position = found.position ?? -1n
    if (joined !== null && position < joined) {
      onGap()
      return undefined
    }
    const first = items.findIndex((item) => item.position > position)
    drop(first === -1 ? items.length : first)
    generation = found
    onAdvance()
    return found
  }

  const batchOf = (): readonly Item[] => passable(projector, items.slice(0, careful > 0 ? 1 : settings.batch))

  const apply = async (at: Generation, batch: readonly Item[]): Promise<void> => {
    const begun = performance.now()
    if (connection?.lost !== false) connection = await database.connect(`projection ${projector.name}`)
    const next = await applyBatch(connection, projector, at, batch)
    appliedAt = performance.now()
    tookMs = appliedAt - begun
    if (next === undefined) {
      doing = 'stands_by'
      movedAt = performance.now()
      await reload(at)
      return
    }
    doing = 'works'
    generation = next
    careful = Math.max(0, careful - batch.length)
    drop(batch.length)
    backoff.reset()
    onAdvance()
    onBatch?.({ projection: projector.name, events: batch.length, ms: performance.now() - begun })
  }

  const note = async (at: Generation, position: bigint): Promise<void> => {
    looked = undefined
    if (doing !== 'works' || position <= (at.read_to ?? 0n)) return
    if (await advance(database, at, at.read_to, { readTo: position })) generation = { ...at, read_to: position }
    else await reload(at)
  }

  const step = async (): Promise<void> => {
    const before = generation
    if (before === undefined || doing === 'stopped') return forget()
    try {
      const at = doing === 'retries' || doing === 'stands_by' ? await reload(before) : before
      if (at === undefined) return
      if (doing === 'retries') doing = 'starting'
      const stillness = performance.now() - Math.max(movedAt, waitingSince)
      if (doing === 'stands_by' && items.length > 0 && stillness < settings.takeover) await pause(settings.standby, closing.signal)
      else if (items.length > 0) await apply(at, batchOf())
      else if (looked !== undefined) await note(at, looked)
    } catch (error) {
      await failed(before, error)
    }
  }

  const failed = async (at: Generation, error: unknown): Promise<void> => {
    if (error instanceof Poison) return stop(at, error.alarm)
    const first = items[0]
    if (first === undefined || database.isPassing(error) || connection?.lost === true) {
      if (doing !== 'retries') logger.warn({ err: error, projection: projector.name }, `projection ${projector.name} waits for Postgres`)
      doing = 'retries'
      await connection?.close()
      connection = undefined
      return pause(backoff.next(), closing.signal)
    }
    const size = Math.min(items.length, settings.batch)
    if (careful > 0 || size === 1) return stop(at, poisonOf(projector, first, error).alarm)
    careful = size
  }

  const concerned = (item: Item): boolean => 'unreadable' in item || projector.concerns(categoryOf(item.event.stream))

  /** What came after a pause, or is waited for, is applied at once. */
  const gathering = createGathering(() => {
    if (doing !== 'works' || items.length === 0 || items.length >= FEW || awaited() || closing.signal.aborted) return 0
    const { rows, checkpoint } = settings.gather
    return Math.max(items.some(concerned) ? rows : checkpoint, Math.min(SHARE * tookMs, LONGEST_GATHERING)) - (performance.now() - appliedAt)
  })

  const run = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      if (items.length === 0 && looked === undefined && doing !== 'retries') await bell.wait()
      await gathering.wait()
      if (!closing.signal.aborted) await inTurn(step)
    }
  }
  const running = run()

  return {
    projector,
    get doing () { return doing },
    get generation () { return generation },
    get alarm () { return alarm },
    prepare: () => inTurn(async () => {
      forget()
      const serving = (await generationsOf(database, projector.name)).find(({ state }) => state === 'serving')
      if (serving === undefined || serving.version !== projector.version) {
        generation = undefined
        return 'idle'
      }
      if (doing === 'stopped' && alarm?.reason !== 'log_forked' && generation?.generation === serving.generation) return 'idle'
      if (generation?.generation !== serving.generation) doing = 'starting'
      generation = serving
      careful = 0
      const fork = await forkOf(log, serving)
      if (fork !== undefined) {
        await stop(serving, fork)
        return 'idle'
      }
      if (doing === 'stopped') doing = 'starting'
      alarm = undefined
      joined = serving.position
      onAdvance()
      return serving
    }),
    offer: (item) => {
      if (doing === 'stopped' || generation === undefined || (joined !== null && item.position <= joined)) return undefined
      if (items.length === 0) waitingSince = performance.now()
      items.push(item)
      bell.ring()
      if (items.length >= FEW || awaited() || concerned(item)) gathering.hasten()
      return items.length < settings.buffer ? undefined : new Promise((resolve) => { room = resolve })
    },
    release: () => room?.(),
    lookedAt: (position) => {
      looked = position
      bell.ring()
    },
    hurry: gathering.hasten,
    close: async () => {
      closing.abort()
      room?.()
      bell.ring()
      gathering.hasten()
      await running
      await connection?.close()
    }
  }
}
