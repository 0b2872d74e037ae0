// Makes the lobby kit a package that can be installed: JavaScript, declarations, fixtures. `node scripts/build-kits.mjs [folder]`.
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const kit = join(root, 'kits', 'lobby')
const out = process.argv[2] ?? join(root, 'dist', 'kits', 'lobby')
const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')

mkdirSync(out, { recursive: true })
const { status } = spawnSync(process.execPath, [tsc, '-p', join(kit, 'tsconfig.json'), '--outDir', join(out, 'src')], { cwd: root, stdio: 'inherit' })
if (status !== 0) process.exit(status ?? 1)
// The compiler leaves the names of sources in declarations.
for (const name of readdirSync(join(out, 'src'))) {
  const file = join(out, 'src', name)
  if (name.endsWith('.d.ts')) writeFileSync(file, readFileSync(file, 'utf8').replace(/(from '\.\/[^']+)\.ts'/g, "$1.js'"))
}
for (const name of ['package.json', 'README.md', 'fixtures']) cpSync(join(kit, name), join(out, name), { recursive: true })
cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
