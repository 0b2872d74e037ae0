// Writes the generated pages of docs/reference/ and the kit's fixtures; with --check it writes nothing, and fails if one is not what the code
// says, or if any page names a file, a heading, a script or a verb that does not exist.
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import packageJson from '../package.json' with { type: 'json' }
import { cliPage, program } from './generate-docs/cli.ts'
import { codesPage } from './generate-docs/codes.ts'
import { configurationPage } from './generate-docs/configuration.ts'
import { envExample } from './generate-docs/env-example.ts'
import { eventsPage } from './generate-docs/events.ts'
import { asyncApiDocument, replayFixture, sampleFixture } from './generate-docs/lifecycle.ts'
import { deadEnds, unknownDecisions } from './generate-docs/links.ts'
import { metricsPage } from './generate-docs/metrics.ts'
import { rolesPage } from './generate-docs/roles.ts'
import { routesPage } from './generate-docs/routes.ts'

const root = join(import.meta.dirname, '..')

/** File → the function that makes its text from the code. */
const pages: Readonly<Record<string, () => string | Promise<string>>> = {
  '.env.example': envExample,
  'docs/reference/cli.md': cliPage,
  'docs/reference/codes.md': codesPage,
  'docs/reference/configuration.md': configurationPage,
  'docs/reference/events.md': eventsPage,
  'docs/reference/lifecycle.asyncapi.json': asyncApiDocument,
  'docs/reference/metrics.md': metricsPage,
  'docs/reference/roles.md': rolesPage,
  'docs/reference/routes.md': routesPage,
  'kits/lobby/fixtures/replay.json': replayFixture,
  'kits/lobby/fixtures/samples.json': sampleFixture
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

const dead = [...deadEnds({ root, scripts: new Set(Object.keys(packageJson.scripts)), program: program() }), ...unknownDecisions(root)]
if (checking && stale.length > 0) process.stderr.write(`Not what the code says: ${stale.join(', ')}. Run npm run docs and commit the result.\n`)
for (const line of dead) process.stderr.write(`leads nowhere: ${line}\n`)
process.stdout.write(`${Object.keys(pages).length} generated pages, ${stale.length} ${checking ? 'stale' : 'written'}\n`)
if (dead.length > 0 || (checking && stale.length > 0)) process.exitCode = 1
