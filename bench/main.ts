// npm run bench: one command, one run; a table on the terminal and one JSON file with every slice.
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { program } from 'commander'
import { suites } from './suites/index.ts'
import type { SuiteResult } from './suites/suite.ts'

interface Words { only?: string, quick?: boolean, out: string }

const values = program.name('npm run bench --').description('Measures what Chancery costs, against peers and limits in the same run.')
  .option('--only <suites>', `with commas between them: ${Object.keys(suites).join(', ')}; all of them otherwise`)
  .option('--quick', 'few short rounds: for whether it runs, not for figures')
  .option('--out <folder>', 'where everything measured is written', 'data/bench')
  .parse().opts<Words>()
const plan = values.quick === true ? { rounds: 5, dropped: 2, sliceMs: 1000 } : { rounds: 12, dropped: 4, sliceMs: 2000 }

const names = values.only?.split(',') ?? Object.keys(suites)
const unknown = names.filter((name) => !Object.hasOwn(suites, name))
if (unknown.length > 0) {
  program.error(`no such suite: ${unknown.join(', ')}. There are: ${Object.keys(suites).join(', ')}`, { exitCode: 2 })
}

const say = (line: string) => { process.stdout.write(`${line}\n`) }
const progress = (line: string) => { if (process.stderr.isTTY) process.stderr.write(`\r\u001b[K${line}`) }

const run = async (): Promise<SuiteResult[]> => {
  const results: SuiteResult[] = []
  for (const [name, suite] of Object.entries(suites)) {
    if (!names.includes(name)) continue
    const dir = mkdtempSync(join(tmpdir(), `chancery-bench-${name}-`))
    try {
      results.push(await suite({ ...plan, dir, progress: (line) => { progress(`${name}: ${line}`) } }))
    } finally {
      rmSync(dir, { recursive: true, force: true })
    }
  }
  progress('')
  return results
}

const print = ({ suite, figures, absolute, rounds }: SuiteResult): void => {
  const disturbed = rounds.filter((round) => round.disturbed).length
  say(`\n${suite} (${rounds.length} rounds${disturbed > 0 ? `, ${disturbed} disturbed and left out` : ''})`)
  for (const { name, median, p10, p90, against } of figures) {
    say(`  ${name}: ${median.toFixed(2)}  (10–90 %: ${p10.toFixed(2)}–${p90.toFixed(2)}; ${against})`)
  }
  for (const [name, value] of Object.entries(absolute)) say(`    ${name}: ${value.toFixed(value < 10 ? 3 : 0)}`)
}

const machine = () => ({
  cpu: cpus()[0]?.model, cores: cpus().length, memoryGiB: Math.round(totalmem() / 2 ** 30), kernel: release(), node: process.version,
  commit: execFileSync('git', ['rev-parse', 'HEAD'], { encoding: 'utf8' }).trim(),
  dependencies: (JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: Record<string, string> }).dependencies
})

const results = await run()
for (const result of results) print(result)
mkdirSync(values.out, { recursive: true })
const file = join(values.out, `${new Date().toISOString().replace(/[:.]/g, '-')}.json`)
writeFileSync(file, JSON.stringify({ machine: machine(), plan, results }, null, 1))
say(`\neverything measured: ${file}`)
