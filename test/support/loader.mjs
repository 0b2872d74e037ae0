// Loaded before each test file: takes it, and what it imports, from what the run has compiled; by itself a file is compiled by tsx.
import { existsSync } from 'node:fs'
import { register } from 'node:module'
import processOnSpawn from 'process-on-spawn'

// By both tap puts a loader of its own into every program that a test starts, for coverage that nobody asks for: a second each.
processOnSpawn.removeAllListeners()
delete process.env.NODE_OPTIONS

/** As test/support/compiled.ts has it: named after tap's runner, the parent of every test. */
const compiled = new URL(`../../node_modules/.cache/chancery/compiled-${process.ppid}/`, import.meta.url)

if (existsSync(new URL('package.json', compiled))) register('./compiled-hooks.mjs', import.meta.url, { data: { compiled: compiled.href } })
else await import('tsx')
