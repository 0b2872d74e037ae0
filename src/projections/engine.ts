// Runs the read models of a process: one feed for what serves, jobs for what is filled, and an eye on the registry.
import type { Database, EventStore } from '../ports.ts'
import type { Positions, ProjectionAlarm, ProjectionOperations } from '../queries.ts'
import type { Projector } from './define.ts'
import { createFeed } from './feed.ts'
import { abortGeneration, createGeneration, dropTables, generationsOf, lockRegistry, openGenerations, type Generation } from './generations.ts'
import { runJob } from './job.ts'
import { createOperations } from './operations.ts'
import { createPositions } from './positions.ts'
import { defaults, type EngineHooks, type EngineSettings } from './settings.ts'
import { createBell, pause } from './waiting.ts'
import { createWorker, type Worker } from './worker.ts'

export interface ProjectionOptions extends EngineHooks {
  database: Database
  log: EventStore
  projectors: readonly Projector[]
  /** False in a process that only asks (`CHANCERY_ROLES` without `projector`); default true. */
  projecting?: boolean
  settings?: Partial<EngineSettings>
}

export interface Projections {
  positions: Positions
  operations: ProjectionOperations
  close (): Promise<void>
}

/**
 * Makes the tables that are missing and starts to follow the log; returns before it has caught up.
 * @throws if two read models share a name or a table, or Postgres refuses to make the tables
 */
export const startProjections = async (options: ProjectionOptions): Promise<Projections> => {
  const { database, log, projectors, logger, projecting = true } = options
  const settings = { ...defaults, ...options.settings }
  refuseDoubles(projectors)
  const closing = new AbortController()
  const bell = createBell()
  const jobs = new Map<string, Promise<void>>()
  /** Jobs that an alarm stopped: not begun again by this process. */
  const failed = new Map<string, ProjectionAlarm>()

  const workers: Worker[] = []
  const workerOf = (name: string): Worker | undefined => workers.find(({ projector }) => projector.name === name)
  const operations = createOperations({ database, log, projectors, workerOf, onChange: bell.ring })
  const positions = createPositions(database, projectors, workerOf, async () => new Map((await operations.list()).map(({ name, lagMs }) => [name, lagMs])))
  for (const projector of projecting ? projectors : []) {
    workers.push(createWorker({ ...options, projector, settings, awaited: positions.awaited, onAdvance: positions.advanced, onGap: () => feed.restart() }))
  }

  /** Makes the first generation of a read model or of its new version, unless it is there. */
  const ensure = (projector: Projector): Promise<void> => database.transaction(async (sql) => {
    await lockRegistry(sql, projector.name)
    const known = await generationsOf(sql, projector.name)
    const serving = known.find(({ state }) => state === 'serving')
    if (serving !== undefined && serving.version >= projector.version) return
    for (const old of known) if (old.version < projector.version) await abortGeneration(sql, old)
    if (!known.some(({ state, version }) => state === 'filling' && version >= projector.version)) await createGeneration(sql, projector, 'fill')
  })

  const start = (projector: Projector, generation: Generation): void => {
    const id = `${generation.name} ${generation.generation}`
    if (jobs.has(id) || failed.has(id)) return
    jobs.set(id, runJob({ ...options, projector, settings, signal: closing.signal }, generation).then((alarm) => {
      if (alarm !== undefined) failed.set(id, alarm)
    }).catch((error: unknown) => {
      logger.error({ err: error, projection: projector.name }, `generation ${generation.generation} of projection ${projector.name} broke off`)
    }).finally(() => {
      jobs.delete(id)
      bell.ring()
    }))
  }

  /** Compares the registry with what runs here: begins jobs, drops old tables, follows a switched view. */
  const scan = async (): Promise<void> => {
    const open = await openGenerations(database)
    let switched = false
    for (const projector of projectors) {
      const own = open.filter(({ name }) => name === projector.name)
      const serving = own.find(({ state }) => state === 'serving')
      if (serving === undefined || serving.version < projector.version) await ensure(projector)
      for (const generation of own) {
        if (generation.version === projector.version && ['filling', 'verifying'].includes(generation.state)) start(projector, generation)
        if (['done', 'aborted'].includes(generation.state)) await dropTables(database, generation)
      }
      switched ||= serving?.version === projector.version && workerOf(projector.name)?.generation?.generation !== serving.generation
    }
    if (switched) feed.restart()
  }

  const watch = async (): Promise<void> => {
    while (!closing.signal.aborted) {
      await Promise.race([bell.wait(), pause(settings.scan, closing.signal)])
      if (closing.signal.aborted) return
      await scan().catch((error: unknown) => logger.warn({ err: error }, 'the registry of the projections cannot be read'))
    }
  }

  for (const projector of projectors) await ensure(projector)
  const feed = createFeed({ log, workers, settings, logger })
  bell.ring()
  const watching = projecting ? watch() : Promise.resolve()

  return {
    positions,
    operations,
    close: async () => {
      closing.abort()
      bell.ring()
      await feed.close()
      await Promise.all([watching, ...jobs.values(), ...workers.map((worker) => worker.close())])
    }
  }
}

const refuseDoubles = (projectors: readonly Projector[]): void => {
  for (const names of [projectors.map(({ name }) => name), projectors.flatMap(({ tables }) => Object.keys(tables))]) {
    const double = names.find((name, index) => names.indexOf(name) !== index)
    if (double !== undefined) throw new Error(`two read models are called ${double}, or have a table of that name`)
  }
}
