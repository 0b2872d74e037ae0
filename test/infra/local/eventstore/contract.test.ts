// The contract: 81 scenarios through the official client and the raw service, compared with the transcript of a real EventStoreDB 24.2.
import { execFile } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { promisify } from 'node:util'
import t from 'tap'
import { quickFolder, scratchFolder, storeProcess } from './support.ts'

const run = promisify(execFile)
const folder = join(import.meta.dirname, 'contract')
const deviations = resolve(import.meta.dirname, '../../../../docs/reference/eventstore-deviations.json')
// The scenarios mostly wait for nothing more to come; side by side, with a store and a client process each, they wait together.
const PARTS = 8

interface Transcript { recorder: number, client: string, scenarios: Record<string, unknown> }

t.setTimeout(280_000)

t.test('a client cannot tell the local store from a real one', async (t) => {
  const scratch = scratchFolder(t)
  const record = async (part: number): Promise<Transcript> => {
    const { port } = await storeProcess(t, quickFolder(t))
    const out = join(scratch, `${part}.json`)
    await run(process.execPath, [join(folder, 'record.mjs'), `esdb://127.0.0.1:${port}?tls=false`, out, '--part', `${part}/${PARTS}`])
    return JSON.parse(readFileSync(out, 'utf8')) as Transcript
  }
  const transcripts = await Promise.all(Array.from({ length: PARTS }, (_, part) => record(part)))
  const scenarios = Object.assign({}, ...transcripts.map((transcript) => transcript.scenarios)) as Transcript['scenarios']
  t.equal(Object.keys(scenarios).length, 81, 'every scenario was recorded')
  const actual = join(scratch, 'actual.json')
  writeFileSync(actual, JSON.stringify({ ...transcripts[0], scenarios }))
  const args = [join(folder, 'compare.mjs'), join(folder, 'real-24.2.json'), actual, '--no-exact', '--ignore-messages', '--except', deviations]
  const { stdout } = await run(process.execPath, args).catch((error: unknown) => error as { stdout: string })
  t.match(stdout, /^equal, 1 step\(s\) excepted\n$/, 'equal, apart from the listed deviation')
})
