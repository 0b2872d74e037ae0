// Drives one generation to its end: filled and switched to, or folded and compared. Resumes where any process left it.
import { performance } from 'node:perf_hooks'
import type { Connection, Database, EventStore } from '../ports.ts'
import type { ProjectionAlarm, VerifyResult } from '../queries.ts'
import { Poison } from './batch.ts'
import { forkOf } from './checkpoint.ts'
import { compareTable, noFindings } from './compare.ts'
import type { Projector } from './define.ts'
import { fill, Moved, type Filling } from './fill.ts'
import { abortGeneration, createIndexes, generationAt, generationsOf, lockRegistry, noteAlarm, physicalName, serve, type Generation } from './generations.ts'
import { createBackoff, type EngineHooks, type EngineSettings } from './settings.ts'
import { pause } from './waiting.ts'

export interface JobOptions extends EngineHooks {
  database: Database
  log: EventStore
  projector: Projector
  settings: EngineSettings
  signal: AbortSignal
}

/**
 * Works on a generation until it serves, is compared, or was aborted; waits for Postgres and the log as long as it takes.
 * @returns the alarm that stopped it, if one did
 */
export const runJob = async (options: JobOptions, { name, generation }: Generation): Promise<ProjectionAlarm | undefined> => {
  const { database, log, settings, signal, logger, onAlarm } = options
  const backoff = createBackoff(settings.backoff)
  let connection: Connection | undefined
  let elsewhere = false
  try {
    while (!signal.aborted) {
      try {
        if (elsewhere) await standBy(options, name, generation)
        elsewhere = false
        const at = await generationAt(database, name, generation)
        if (at?.state !== 'filling' && at?.state !== 'verifying') return undefined
        const fork = await forkOf(log, at)
        if (fork !== undefined) throw new Poison(fork)
        if (connection?.lost !== false) connection = await database.connect(`projection ${name} ${at.kind}`)
        const filling = { ...options, connection, isPassing: database.isPassing, batch: settings.batch, onProgress: backoff.reset }
        if (at.kind === 'fill') await fillAndServe(options, filling, at)
        else await foldAndCompare(options, filling, at)
        return undefined
      } catch (error) {
        if (signal.aborted) return undefined
        if (error instanceof Poison) {
          await noteAlarm(database, { name, generation }, error.alarm).catch(() => {})
          logger.error({ ...error.alarm }, `generation ${generation} of projection ${name} stopped: ${error.alarm.message}`)
          onAlarm?.(error.alarm)
          return error.alarm
        }
        elsewhere = error instanceof Moved
        if (!elsewhere) {
          logger.warn({ err: error, projection: name, generation }, `filling projection ${name} waits for Postgres or the event store`)
          await pause(backoff.next(), signal)
        }
      }
    }
    return undefined
  } finally {
    await connection?.close()
  }
}

/** Somebody else works on it: waits until its checkpoint has stood still for long enough, or it is over. */
const standBy = async ({ database, settings, signal }: JobOptions, name: string, generation: number): Promise<void> => {
  let seen = await generationAt(database, name, generation)
  let since = performance.now()
  while (!signal.aborted && performance.now() - since < settings.takeover) {
    await pause(settings.standby, signal)
    const now = await generationAt(database, name, generation)
    if (now?.state !== seen?.state) return
    if (now?.read_to !== seen?.read_to) since = performance.now()
    seen = now
  }
}

const servingOf = (generations: readonly Generation[]): Generation | undefined => generations.find(({ state }) => state === 'serving')

/** Fills until hardly anything is left, then holds the serving checkpoint for the last step, so that both stand at the same event. */
const fillAndServe = async ({ database, projector, settings }: JobOptions, filling: Filling, from: Generation): Promise<void> => {
  let at = from
  let events: number
  do ({ generation: at, events } = await fill(filling, at)); while (events >= settings.batch)
  await createIndexes(filling.connection, projector, at)
  await database.transaction(async (sql) => {
    // Readers hold the old view for as long as their statement runs; whoever comes behind us must not wait long.
    await sql.query("set local lock_timeout = '500ms'")
    await lockRegistry(sql, projector.name)
    await sql.query("select 1 from projection_generation where name = $1 and state = 'serving' for update", [projector.name])
    const serving = servingOf(await generationsOf(sql, projector.name))
    if (serving !== undefined && serving.version > projector.version) {
      await abortGeneration(sql, at)
      return
    }
    if (serving !== undefined && serving.position !== null) at = (await fill(filling, at, serving.position)).generation
    await serve(sql, projector, at)
  })
}

const foldAndCompare = async ({ database, projector }: JobOptions, filling: Filling, from: Generation): Promise<void> => {
  const { connection } = filling
  const before = servingOf(await generationsOf(database, projector.name))
  let at = from
  if (before?.position != null) at = (await fill(filling, at, before.position)).generation
  const reader = await database.connect(`projection ${projector.name} verify`)
  try {
    await reader.query('begin isolation level repeatable read read only')
    await reader.query("set local idle_in_transaction_session_timeout = '10min'")
    const serving = servingOf(await generationsOf(reader, projector.name))
    if (serving?.version !== projector.version) {
      await abortGeneration(database, at)
      return
    }
    if (serving.position !== null) at = (await fill(filling, at, serving.position)).generation
    if (at.position !== serving.position) throw new Poison(await forkOf(filling.log, serving) ?? aheadAlarm(projector.name))
    const findings = noFindings()
    await connection.query('begin')
    for (const [name, definition] of Object.entries(projector.tables)) {
      await compareTable(findings, name, definition,
        { connection: reader, physical: physicalName(name, serving) }, { connection, physical: physicalName(name, at) })
    }
    await connection.query('commit')
    const result: VerifyResult = { position: String(serving.position ?? 0n), ...findings }
    await database.query("update projection_generation set state = 'done', result = $3 where name = $1 and generation = $2 and state = 'verifying'",
      [projector.name, at.generation, JSON.stringify(result)])
  } finally {
    await reader.close()
  }
}

const aheadAlarm = (projection: string): ProjectionAlarm => ({
  projection,
  reason: 'log_forked',
  message: `the second fold of ${projection} does not end where the read model does`,
  hint: 'The checkpoint moved back while the fold ran: abort this verification and begin another one.'
})
