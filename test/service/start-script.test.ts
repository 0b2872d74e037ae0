// What `npm start` says where something is missing: one line, exit 1, no stack trace.
import { execFile } from 'node:child_process'
import { cpSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import t, { type Test } from 'tap'

const script = fileURLToPath(new URL('../../scripts/start.mjs', import.meta.url))

/** Runs a copy of the script in a folder that has these things, as a Node of this version. */
const start = async (t: Test, has: { packages?: boolean, program?: boolean }, version = '20.20.0') => {
  const folder = t.testdir({ scripts: {}, 'version.mjs': `Object.defineProperty(process, 'versions', { value: { ...process.versions, node: '${version}' } })\n` })
  cpSync(script, join(folder, 'scripts', 'start.mjs'))
  writeFileSync(join(folder, 'package.json'), '{"type":"module"}')
  if (has.packages === true) mkdirSync(join(folder, 'node_modules', 'fastify'), { recursive: true })
  if (has.program === true) {
    mkdirSync(join(folder, 'dist', 'src'), { recursive: true })
    writeFileSync(join(folder, 'dist', 'src', 'main.js'), 'process.stdout.write("runs\\n")\n')
  }
  return new Promise<{ code: unknown, stdout: string, stderr: string }>((resolve) => {
    const options = { env: { PATH: process.env['PATH'], NODE_OPTIONS: '' } }
    const args = ['--import', pathToFileURL(join(folder, 'version.mjs')).href, join(folder, 'scripts', 'start.mjs')]
    execFile(process.execPath, args, options, (error, stdout, stderr) => { resolve({ code: error?.code ?? 0, stdout, stderr }) })
  })
}

t.test('what is missing is said in one line', async (t) => {
  const all = { packages: true, program: true }
  for (const old of ['18.20.4', '20.19.9']) {
    t.strictSame(await start(t, all, old), { code: 1, stdout: '', stderr: `Chancery needs Node 20.20 or newer; this is ${old}.\n` })
  }
  t.match(await start(t, {}, '18.0.0'), { code: 1, stderr: /^Chancery needs Node.*\n$/ }, 'the first thing first')
  t.strictSame(await start(t, { program: true }), { code: 1, stdout: '', stderr: 'The packages are not installed: run npm ci.\n' })
  t.strictSame(await start(t, { packages: true }), { code: 1, stdout: '', stderr: 'The program is not built: run npm ci (or npm run build).\n' })
  for (const good of ['20.20.0', '21.0.0', '24.1.0']) t.strictSame(await start(t, all, good), { code: 0, stdout: 'runs\n', stderr: '' }, `Node ${good}`)
})
