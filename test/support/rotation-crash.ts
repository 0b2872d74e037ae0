// One rotation through a service that is killed again and again: started anew after each death, driven by whoever asks for the next step.
import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import type { Test } from 'tap'
import { WHY, PATH, ownConsumer, rotationWorld, rotationsOf, type Job, type OwnConsumer, type RotationWorld } from './rotations.ts'
import { NotStarted, spawnService, type SpawnedService } from './service.ts'

export interface CrashGround {
  world: RotationWorld
  consumers: OwnConsumer[]
  /** Starts the service as a process, which dies at this edge (`append.before:rotation.minted`); without one it lives. */
  start: (edge?: string) => Promise<SpawnedService>
}

/** Stores, vendor and two consumers, without a service that runs: each process comes and goes on them. */
export const crashGround = async (t: Test, credentials: readonly string[]): Promise<CrashGround> => {
  // Always the same address, for consumers that ask their service again.
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const { port } = probe.address() as AddressInfo
  probe.close()
  await once(probe, 'close')
  const world = await rotationWorld(t, { CHANCERY_HTTP_PORT: String(port) })
  const consumers = [await ownConsumer(t, world, 'billing', credentials), await ownConsumer(t, world, 'mailer', credentials)]
  for (const name of credentials) await world.credential(name, consumers.map((consumer) => consumer.subscriber()))
  await world.service.stop()
  const { env, dataDir, token } = world.service
  return {
    world,
    consumers,
    start: (edge) => spawnService(t, { beside: { env, dataDir, token }, env: edge === undefined ? {} : { CHANCERY_FAILPOINT: `${edge}:kill` } })
  }
}

export interface CrashWalk { end: string, deaths: string[], job: Job, service: SpawnedService }

const forwards: Readonly<Record<string, string>> = {
  opened: 'verify', verify_failed: 'verify', verified: 'distribute', mint_failed: 'distribute', distribute_partial: 'retry', distributed: 'validate', validation_failed: 'validate', validated: 'revoke'
}
const PATIENCE_MS = 120_000

/**
 * Brings a rotation of `name` to this end, whatever dies on the way: the next process has the next edge, the last has none.
 * @param way.abortIn the state in which it is given up, where it is to be
 * @param way.orLess an end before the last edge is one, too
 * @param way.each is told after every death, with the job as it is then
 */
export const walkThroughDeaths = async (
  ground: CrashGround, name: string, way: { edges: readonly string[], abortIn?: string, orLess?: boolean, each?: (edge: string, job: Job | undefined) => Promise<void> }
): Promise<CrashWalk> => {
  const edges = [...way.edges]
  const deaths: string[] = []
  let edge = edges.shift()
  const seen: { job: Job | undefined, givenUp: boolean } = { job: undefined, givenUp: false }
  const died = async (): Promise<void> => {
    if (edge === undefined) return
    deaths.push(edge)
    await way.each?.(edge, seen.job)
    edge = edges.shift()
  }
  /** What is due of a rotation is taken up at once: a service may meet its edge before it is ready. */
  const begin = async (): Promise<SpawnedService> => {
    for (;;) {
      try {
        return await ground.start(edge)
      } catch (error) {
        if (!(error instanceof NotStarted) || error.end !== 'SIGKILL' || edge === undefined) throw error
        await died()
      }
    }
  }
  let service = await begin()
  const until = Date.now() + PATIENCE_MS * (1 + edges.length / 4)

  const next = async (): Promise<void> => {
    const { request, job: look, step, open } = rotationsOf(service, ground.world.vendor)
    if (seen.job === undefined) {
      const { status, body, text } = await request('GET', `${PATH}/${name}/rotations`)
      if (status !== 200) throw new Error(text)
      // Read models follow: opening it twice is refused, and soon it is known.
      seen.job = (body['items'] as Job[])[0] ?? await open(name)
      return
    }
    const job = await look(name, seen.job)
    // A service that has just been started may say that it cannot tell yet.
    if (job.state === undefined) throw new Error(JSON.stringify(job))
    seen.job = job
    const onward = forwards[job.state]
    const kind = job.state === way.abortIn || (seen.givenUp && onward !== undefined) ? 'abort' : onward
    if (kind === undefined) {
      await delay(50)
      return
    }
    const { status } = await step(name, job, kind, kind === 'revoke' ? { confirm: name, ticket: '4711', ...WHY } : {}, { prefer: 'wait=1' })
    if (kind === 'abort' && status < 300) seen.givenUp = true
  }

  for (;;) {
    const { job } = seen
    if (job?.state === 'done' || job?.state === 'aborted') {
      if (edge !== undefined && way.orLess !== true) throw new Error(`${name} is ${job.state}, and ${edge} was not met`)
      return { end: job.state, deaths, job, service }
    }
    if (Date.now() > until) throw new Error(`${name} stands in ${job?.state ?? 'nothing'} after ${deaths.join()}; not met: ${edge ?? 'none'}`)
    try {
      await next()
    } catch (error) {
      const ended = await Promise.race([service.exit, delay(500).then(() => undefined)])
      if (ended === undefined) continue
      if (ended !== 'SIGKILL' || edge === undefined) throw new Error(`the service ended with ${ended}: ${service.complaints()}`, { cause: error })
      await died()
      service = await begin()
    }
  }
}
