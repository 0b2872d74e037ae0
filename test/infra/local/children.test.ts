// Children of the service: started again when they die, stopped when left behind, never mistaken for somebody else's.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import t, { type Test } from 'tap'
import type { Child, ChildKind } from '../../../infra/local/children/child.ts'
import { lockFolder } from '../../../infra/local/children/folder-lock.ts'
import { isAlive, markOf } from '../../../infra/local/children/processes.ts'
import { supervise } from '../../../infra/local/children/supervise.ts'
import { until } from '../../support/until.ts'

/** A child that does nothing for a minute. */
const sleeper = (t: Test, failures: string[] = []): ChildKind & { ports: number[] } => {
  const ports: number[] = []
  return {
    name: 'The sleeper',
    key: 'sleeper',
    signals: { ask: 'SIGTERM', force: 'SIGKILL' },
    ports,
    start: async (port): Promise<Child> => {
      ports.push(port)
      const failure = ports.length > 1 ? failures.pop() : undefined
      if (failure !== undefined) throw new Error(failure)
      const child = spawn('sleep', ['60'], { stdio: 'ignore', detached: true })
      t.teardown(() => child.kill('SIGKILL'))
      const ended = once(child, 'exit').then(() => {})
      await once(child, 'spawn')
      return { pid: child.pid ?? 0, port: 4711, ended, stop: async () => { child.kill(); await ended } }
    }
  }
}

const words = () => {
  const said: string[] = []
  return { said, say: (_level: string, sentence: string) => { said.push(sentence) } }
}

t.test('a child that dies is started again on its port, also when that fails at first', async (t) => {
  const { said, say } = words()
  const kind = sleeper(t, ['no room', 'no room'])
  const kept = await supervise(kind, { runFolder: t.testdir(), say })
  process.kill(kept.pid(), 'SIGKILL')
  await until(() => said.some((sentence) => sentence.includes('runs again')))
  t.not(kept.pid(), kept.first.pid)
  t.same(kind.ports, [0, 4711, 4711, 4711])
  t.equal(said.filter((sentence) => sentence.includes('no room')).length, 2)
  const last = kept.pid()
  await kept.stop()
  t.equal(markOf(last), undefined, 'stopping ends the one that runs now')
})

t.test('an orphan of this folder is stopped first, and it is said', async (t) => {
  const runFolder = t.testdir()
  const orphaned = await sleeper(t).start(0)
  writeFileSync(join(runFolder, 'sleeper.json'), JSON.stringify(markOf(orphaned.pid)))
  const { said, say } = words()
  const kept = await supervise(sleeper(t), { runFolder, say })
  t.equal(markOf(orphaned.pid), undefined)
  t.match(said, [new RegExp(`process ${orphaned.pid}\\) was left running`)])
  await kept.stop()
  t.notOk(existsSync(join(runFolder, 'sleeper.json')))
})

t.test('somebody else who got the number of an old child is left alone', async (t) => {
  const runFolder = t.testdir()
  const other = await sleeper(t).start(0)
  writeFileSync(join(runFolder, 'sleeper.json'), JSON.stringify({ pid: other.pid, began: '1' }))
  const { said, say } = words()
  const kept = await supervise(sleeper(t), { runFolder, say })
  const mark = markOf(other.pid)
  t.ok(mark !== undefined && isAlive(mark))
  t.same(said, [])
  await kept.stop()
})

t.test('an unreadable mark is no hindrance', async (t) => {
  const runFolder = t.testdir({ 'sleeper.json': '{"pid":' })
  const kept = await supervise(sleeper(t), { runFolder, say: () => {} })
  await kept.stop()
  t.pass()
})

t.test('a first start that fails is the caller\'s to tell', async (t) => {
  const kind: ChildKind = { ...sleeper(t), start: async () => { throw new Error('no binaries') } }
  await t.rejects(supervise(kind, { runFolder: t.testdir(), say: () => {} }), { message: 'no binaries' })
})

t.test('a folder has one holder, and a killed holder leaves nothing behind', async (t) => {
  const folder = t.testdir()
  const lock = await lockFolder(folder)
  await t.rejects(lockFolder(folder), { name: 'StartError', message: `The data folder ${folder} is in use by another Chancery (process ${process.pid}).` })
  mkdirSync(join(folder, 'inner'))
  const other = await lockFolder(join(folder, 'inner'))
  await other.release()
  await lock.release()

  const module = fileURLToPath(new URL('../../../infra/local/children/folder-lock.ts', import.meta.url))
  const holder = spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', `
    import { lockFolder } from ${JSON.stringify(module)}
    await lockFolder(${JSON.stringify(folder)})
    process.stdout.write('held\\n')
    setInterval(() => {}, 1000)`], { stdio: ['ignore', 'pipe', 'inherit'], env: { PATH: '/usr/bin:/bin' } })
  t.teardown(() => holder.kill('SIGKILL'))
  t.match(String(await once(holder.stdout, 'data')), 'held')
  await t.rejects(lockFolder(folder), { name: 'StartError', message: new RegExp(`process ${holder.pid}`) })
  holder.kill('SIGKILL')
  await once(holder, 'exit')
  const again = await lockFolder(folder)
  t.equal(readFileSync(join(folder, 'holder.pid'), 'utf8'), String(process.pid))
  await again.release()
})

t.test('other trouble than a holder is passed on', async (t) => {
  await t.rejects(lockFolder(join(t.testdir(), 'absent')), { code: 'ENOENT' })
})
