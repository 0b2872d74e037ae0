// Compiles src/, infra/, kits/ and examples/ into dist/, makes the kits packages, and takes along what is not TypeScript (SQL, pages);
// `npm ci` runs it. With the word `bench`, bench/ as well: what is measured is what is shipped.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, rmSync } from 'node:fs'
import { createRequire } from 'node:module'
import { extname, join } from 'node:path'

const root = join(import.meta.dirname, '..')
const bench = process.argv.includes('bench')
const compiled = new Set(['.ts', '.tsx', '.md'])

let tsc
try {
  tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')
} catch {
  process.stderr.write('Building needs the development packages: run npm ci without --omit=dev (or NODE_ENV=production), then npm prune --omit=dev.\n')
  process.exit(existsSync(join(root, 'dist', 'src', 'main.js')) ? 0 : 1)
}

rmSync(join(root, 'dist'), { recursive: true, force: true })
const { status } = spawnSync(process.execPath, [tsc, '-p', bench ? 'tsconfig.bench.json' : 'tsconfig.build.json'], { cwd: root, stdio: 'inherit' })
for (const folder of ['src', 'infra', ...bench ? ['bench'] : []]) {
  cpSync(join(root, folder), join(root, 'dist', folder), { recursive: true, filter: (path) => !compiled.has(extname(path)) })
}
if (status !== 0) process.exit(status ?? 1)
process.exit(spawnSync(process.execPath, [join(import.meta.dirname, 'build-kits.mjs')], { stdio: 'inherit' }).status ?? 1)
