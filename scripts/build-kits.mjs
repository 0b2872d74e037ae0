// Makes each kit a package that can be installed: JavaScript, declarations, fixtures. `node scripts/build-kits.mjs [kit folder]`.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const root = join(import.meta.dirname, '..')
const tsc = createRequire(import.meta.url).resolve('typescript/lib/tsc.js')
const [only, folder] = process.argv.slice(2)

for (const name of readdirSync(join(root, 'kits'))) {
  if (only !== undefined && name !== only) continue
  const kit = join(root, 'kits', name)
  const out = folder ?? join(root, 'dist', 'kits', name)
  mkdirSync(out, { recursive: true })
  const { status } = spawnSync(process.execPath, [tsc, '-p', join(kit, 'tsconfig.json'), '--outDir', join(out, 'src')], { cwd: root, stdio: 'inherit' })
  if (status !== 0) process.exit(status ?? 1)
  // The compiler leaves the names of sources in declarations.
  for (const file of readdirSync(join(out, 'src'))) {
    const path = join(out, 'src', file)
    if (file.endsWith('.d.ts')) writeFileSync(path, readFileSync(path, 'utf8').replace(/(from '\.\/[^']+)\.ts'/g, "$1.js'"))
  }
  for (const part of ['package.json', 'README.md', 'fixtures']) if (existsSync(join(kit, part))) cpSync(join(kit, part), join(out, part), { recursive: true })
  cpSync(join(root, 'LICENSE'), join(out, 'LICENSE'))
}
