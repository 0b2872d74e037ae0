// The process lock on a real Postgres: who may run beside whom, and for how long a proof can be believed.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net'
import { setTimeout as after } from 'node:timers/promises'
import pg from 'pg'
import t, { type Test } from 'tap'
import { schemasOf } from '../../infra/postgres/index.ts'
import { migrate } from '../../infra/postgres/migrate.ts'
import { openProcessLock, type ProcessLockOptions } from '../../infra/process-lock/index.ts'
import { openSession } from '../../infra/process-lock/session.ts'
import { StartError } from '../../src/start-error.ts'
import { testDatabase } from '../support/postgres.ts'

const schema = schemasOf(undefined).readModels

const ground = async (t: Test) => {
  const { url } = await testDatabase(t)
  await migrate(url, { 'read-models': schema })
  const open = async (mode: 'single' | 'many', more: Partial<ProcessLockOptions> = {}) => {
    const lock = await openProcessLock({ url, schema, mode, patience: 200, ...more })
    t.teardown(() => lock.close())
    return lock
  }
  return { url, open }
}

t.test('processes of one kind only', async (t) => {
  const { open } = await ground(t)
  const single = await open('single')
  t.ok(single.proven())
  await t.rejects(open('single'), { name: 'StartError', message: /Another Chancery process runs/ }, 'two in single mode')
  await t.rejects(open('many'), { name: 'StartError', message: /is many here, but a process in mode single/ }, 'many beside single')

  await single.close()
  t.notOk(single.proven(), 'a lock given back proves nothing')
  const first = await open('many')
  const second = await open('many')
  t.ok(first.proven() && second.proven(), 'many share it, and need not wait after an orderly end')
  const refused = await open('single').catch((error: unknown) => error)
  t.ok(refused instanceof StartError && refused.waysOut.length > 0, 'single beside many, with ways out')

  await Promise.all([first.close(), second.close()])
  t.ok((await open('single')).proven(), 'single after many')
})

t.test('a successor of a killed process is not proven before that one\'s last proof has run out', async (t) => {
  const { url, open } = await ground(t)
  const killed = await openSession({ url, schema, mode: 'single', holder: '00000000-0000-4000-8000-000000000001', patience: 0 })
  await killed.abandon()
  const began = performance.now()
  const successor = await open('single')
  t.notOk(successor.proven())
  t.notOk(await successor.whenProven(100), 'waiting too shortly tells so')
  t.ok(await successor.whenProven(5000))
  t.ok(performance.now() - began >= 2000, 'after two seconds')
})

t.test('a proof lasts a second without an answer, and comes back with the answers', async (t) => {
  const { url, open } = await ground(t)
  const proxy = await stoppableProxy(t, url)
  const lock = await open('single', { url: proxy.url })
  const before = lock.epoch
  t.ok(lock.proven())
  proxy.hold()
  const held = performance.now()
  while (lock.proven()) await after(10)
  const lasted = performance.now() - held
  t.ok(lasted <= 1100, `ran out after ${Math.round(lasted)} ms`)
  proxy.go()
  t.ok(await lock.whenProven(5000), 'proven again')
  t.equal(lock.epoch, before, 'the session went on, so nobody can have come in between')
})

t.test('a lost connection is noticed; the lock is taken again under a new number', async (t) => {
  const { url, open } = await ground(t)
  const changes: string[] = []
  const lock = await open('single', { onChange: (change) => changes.push(change) })
  const admin = new pg.Client(url)
  await admin.connect()
  t.teardown(() => admin.end())
  const first = lock.epoch
  await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'chancery lock'")
  while (lock.epoch === first) await after(10)
  t.strictSame(changes, ['lost', 'taken'])
  t.ok(await lock.whenProven(5000))
})

/** A proxy to Postgres that can keep back all bytes for a while. */
const stoppableProxy = async (t: Test, to: string) => {
  const target = new URL(to)
  const port = Number(target.port)
  const sockets = new Set<Socket>()
  const server = createServer((client) => {
    const upstream = connect(port, target.hostname)
    for (const socket of [client, upstream]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.pipe(upstream)
    upstream.pipe(client)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  target.port = String((server.address() as AddressInfo).port)
  return {
    url: target.toString(),
    hold: () => { for (const socket of sockets) socket.pause() },
    go: () => { for (const socket of sockets) socket.resume() }
  }
}
