// The suites of npm run bench, by name.
import { commandSuite } from './command.ts'
import { readsSuite } from './reads.ts'
import { publishSuite } from './publish.ts'
import { rebuildSuite } from './rebuild.ts'
import { rotationSuite } from './rotation.ts'
import { storeSuite } from './store.ts'
import type { SuiteOptions, SuiteResult } from './suite.ts'

export const suites: Record<string, (options: SuiteOptions) => Promise<SuiteResult>> = {
  store: storeSuite,
  command: commandSuite,
  rebuild: rebuildSuite,
  reads: readsSuite,
  publish: publishSuite,
  rotation: rotationSuite
}
