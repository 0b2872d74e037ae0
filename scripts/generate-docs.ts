// Writes the generated pages of docs/reference/, or with --check fails if one is not what the code says.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { cliPage } from './generate-docs/cli.ts'
import { codesPage } from './generate-docs/codes.ts'
import { configurationPage } from './generate-docs/configuration.ts'
import { envExample } from './generate-docs/env-example.ts'
import { eventsPage } from './generate-docs/events.ts'
import { rolesPage } from './generate-docs/roles.ts'

const root = join(import.meta.dirname, '..', 'docs', 'reference')

/** File under docs/reference/ → the function that makes its text from the code. */
const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  'cli.md': cliPage,
  'codes.md': codesPage,
  'configuration.md': configurationPage,
  'events.md': eventsPage,
  '../../.env.example': envExample,
  'roles.md': rolesPage
}

const checking = process.argv.includes('--check')
const stale: string[] = []

for (const [name, page] of Object.entries(pages)) {
  const file = join(root, name)
  const text = await page()
  const found = await readFile(file, 'utf8').catch(() => undefined)
  if (found === text) continue
  stale.push(name)
  if (checking) continue
  await mkdir(dirname(file), { recursive: true })
  await writeFile(file, text)
}

if (checking && stale.length > 0) {
  process.stderr.write(`docs/reference is not what the code says: ${stale.join(', ')}. Run npm run docs and commit the result.\n`)
  process.exitCode = 1
} else {
  process.stdout.write(`docs/reference: ${Object.keys(pages).length} pages, ${stale.length} ${checking ? 'stale' : 'written'}\n`)
}
