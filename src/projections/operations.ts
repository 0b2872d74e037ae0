// What operators ask of read models: how far they are, rebuild, verify, abort.
import { refuse } from '../domain/codes.ts'
import type { LogEvent } from '../domain/catalogue.ts'
import type { Database, EventStore } from '../ports.ts'
import type { ProjectionJob, ProjectionOperations, ProjectionStatus } from '../queries.ts'
import type { Projector } from './define.ts'
import { abortGeneration, createGeneration, generationAt, generationsOf, lockRegistry, openGenerations, type Generation } from './generations.ts'
import type { Worker } from './worker.ts'

export interface OperationsOptions {
  database: Database
  log: EventStore
  projectors: readonly Projector[]
  workerOf: (name: string) => Worker | undefined
  /** A generation was made or given up: somebody should look. */
  onChange: () => void
}

/** Jobs told of one read model; older ones stay in the table. */
const MAX_JOBS = 20

export const createOperations = ({ database, log, projectors, workerOf, onChange }: OperationsOptions): ProjectionOperations => {
  const find = (name: string): Projector => projectors.find((projector) => projector.name === name) ??
    refuse('subject_not_found', 'There is no such read model. GET /api/v1/operations/projections lists them.')

  const head = async (): Promise<LogEvent | undefined> => log.last().catch(() => undefined)

  const begin = async (name: string, kind: Generation['kind']): Promise<ProjectionJob> => {
    const projector = find(name)
    const last = await head()
    const made = await database.transaction(async (sql) => {
      await lockRegistry(sql, name)
      const known = await generationsOf(sql, name)
      const running = known.find((generation) => jobState(generation) === 'running' && generation.kind === kind && generation.version === projector.version)
      if (running !== undefined) return running
      if (kind === 'verify' && !known.some(({ state, version }) => state === 'serving' && version === projector.version)) {
        refuse('conflict', 'The read model does not serve yet: it is being filled. Verify it when it does.')
      }
      for (const generation of known) if (jobState(generation) === 'failed' && generation.kind === kind) await abortGeneration(sql, generation)
      return createGeneration(sql, projector, kind)
    })
    onChange()
    return jobOf(made, last)
  }

  const lookUp = async (name: string, number: number): Promise<Generation> => {
    find(name)
    return await generationAt(database, name, number) ?? refuse('subject_not_found', 'There is no such job of this read model.')
  }

  return {
    list: async () => {
      const [open, last] = await Promise.all([openGenerations(database), head()])
      return projectors.map((projector) => statusOf(projector, open.filter(({ name }) => name === projector.name), last, workerOf(projector.name)))
    },
    jobs: async (projection) => {
      const last = await head()
      const names = projection === undefined ? projectors.map(({ name }) => name) : [find(projection).name]
      const generations = await Promise.all(names.map(async (name) => (await generationsOf(database, name)).slice(0, MAX_JOBS)))
      return generations.flat().map((generation) => jobOf(generation, last))
    },
    job: async (projection, generation) => jobOf(await lookUp(projection, generation), await head()),
    rebuild: (projection) => begin(projection, 'fill'),
    verify: (projection) => begin(projection, 'verify'),
    abort: async (projection, number) => {
      const generation = await lookUp(projection, number)
      const serves = (await generationsOf(database, projection)).some(({ state }) => state === 'serving')
      if (!serves && generation.kind === 'fill') refuse('conflict', 'Nothing serves in its place: this is the first fill of the read model.')
      if (!await abortGeneration(database, generation)) refuse('conflict', 'The job is not running any more.')
      onChange()
      return jobOf(await lookUp(projection, number), await head())
    }
  }
}

const statusOf = (projector: Projector, open: readonly Generation[], last: LogEvent | undefined, worker: Worker | undefined): ProjectionStatus => {
  const serving = open.find(({ state }) => state === 'serving')
  const own = serving?.version === projector.version
    ? serving
    : open.find(({ state, version }) => state === 'filling' && version === projector.version)
  const alarm = worker?.alarm ?? own?.alarm ?? undefined
  const state = alarm !== undefined
    ? 'stopped'
    : own?.state === 'serving' ? 'serving' : (serving?.version ?? 0) > projector.version ? 'superseded' : 'filling'
  return {
    name: projector.name,
    version: projector.version,
    generation: own?.generation ?? 0,
    state,
    here: worker === undefined ? 'none' : alarm === undefined ? worker.doing : 'stopped',
    position: own?.position ?? 0n,
    head: last?.position,
    lagMs: lagOf(own, last),
    ...(alarm && { alarm })
  }
}

/** Time of append between the last event applied and the last of ours; unknown before the first. */
const lagOf = (generation: Generation | undefined, last: LogEvent | undefined): number | undefined => {
  if (last === undefined) return undefined
  if ((generation?.position ?? 0n) >= last.position) return 0
  if (generation?.event_created == null) return undefined
  return Math.max(0, last.created.getTime() - Date.parse(generation.event_created))
}

const jobState = ({ state, alarm }: Generation): ProjectionJob['state'] => {
  if (state === 'aborted') return 'aborted'
  if (state === 'serving' || state === 'done') return 'done'
  return alarm === null ? 'running' : 'failed'
}

const jobOf = (generation: Generation, last: LogEvent | undefined): ProjectionJob => {
  const done = generation.position ?? 0n
  const state = jobState(generation)
  const head = last?.position ?? done
  return {
    projection: generation.name,
    generation: generation.generation,
    kind: generation.kind === 'verify' ? 'verify' : 'rebuild',
    state,
    done,
    total: state === 'done' || head < done ? done : head,
    ...(generation.result !== null && { result: generation.result }),
    ...(generation.alarm !== null && state === 'failed' && { alarm: generation.alarm })
  }
}
