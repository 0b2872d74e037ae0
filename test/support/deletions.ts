// Accounts that are deleted over HTTP under load, and the ways in which a Redis may fail meanwhile.
import { randomUUID } from 'node:crypto'
import { cp, rm } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import type { Redis } from 'ioredis'
import { STREAM } from './lifecycle.ts'
import type { TestRedis } from './redis.ts'
import type { Answer, TestService } from './service.ts'

export type Users = Pick<TestService, 'request'>

/** A few at a time: the door sheds what is too much at once. */
export const makeUsers = async (service: Users, count: number): Promise<string[]> => {
  const made: string[] = []
  await Promise.all(Array.from({ length: 8 }, async (_, lane) => {
    for (let i = lane; i < count; i += 8) {
      const email = `${randomUUID()}@example.org`
      let answer = await service.request('POST', '/api/v1/auth/ensure-by-email', { email })
      // A machine that is busy with other things may be told to come back; what is tested comes later.
      for (let left = 20; answer.status === 503 && left > 0; left--) {
        await delay(100)
        answer = await service.request('POST', '/api/v1/auth/ensure-by-email', { email })
      }
      if (answer.status !== 200) throw new Error(`no account was made: ${answer.status} ${answer.text}`)
      made.push(String(answer.body['user_id']))
    }
  }))
  return made
}

export const remove = (service: Users, id: string): Promise<Answer> => service.request('POST', `/api/v1/internal/users/${id}/delete`, { reason_code: 'asked' })

/** Deletes them in five lanes; `fail` begins when lane 0 has come to its n-th. Returns the answers' statuses. */
export const removeUnder = async (service: Users, users: readonly string[], fail: () => Promise<void>, nth = 2): Promise<number[]> => {
  const answers: number[] = []
  let failing: Promise<void> | undefined
  await Promise.all([0, 1, 2, 3, 4].map(async (lane) => {
    for (let i = lane; i < users.length; i += 5) {
      if (i === nth * 5) failing = fail()
      answers.push((await remove(service, users[i] ?? '')).status)
    }
  }))
  await failing
  return answers
}

/** What is done to a Redis whose data folder was copied to `copy` before. */
export const redisFailures: Readonly<Record<string, (server: TestRedis, copy: string) => Promise<void>>> = {
  'stopped and started': async (server) => { await server.stop(); await server.start() },
  killed: async (server) => { await server.kill(); await server.start() },
  emptied: async (server) => { await server.kill(); await rm(server.folder, { recursive: true }); await server.start() },
  'restored from an older copy': async (server, copy) => {
    await server.kill()
    await rm(server.folder, { recursive: true })
    await cp(copy, server.folder, { recursive: true })
    await server.start()
  }
}

/** Copies the data folder, the server stopped meanwhile, as a backup is taken. */
export const copyOf = async (server: TestRedis): Promise<string> => {
  const copy = `${server.folder}.copy`
  await rm(copy, { recursive: true, force: true })
  await server.stop()
  await cp(server.folder, copy, { recursive: true })
  await server.start()
  return copy
}

/** Ids in the stream, in order; none while Redis does not answer. */
export const entryIds = async (redis: Redis): Promise<string[]> => (await redis.xrange(STREAM, '-', '+').catch(() => [])).map(([id]) => id)
