// Entry of `npm run demo`: plays a story against the running service, over HTTP, and says what it does.
import { environment } from '../../config.ts'
import { Failure } from '../failures.ts'
import { playLifecycle } from './lifecycle-story.ts'
import { playRotation } from './rotation-story.ts'
import { play } from './story.ts'

const stories = new Map([['ghosts', play], ['lifecycle', playLifecycle], ['rotation', playRotation]])

const stopping = new AbortController()
// Stories that start processes end them when they are stopped.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => { stopping.abort() })

const [name = 'ghosts', ...more] = process.argv.slice(2)
const story = more.length === 0 ? stories.get(name) : undefined
try {
  if (story === undefined) throw new Failure('usage', `There is no such story. These are told: ${[...stories.keys()].join(', ')}; for example npm run demo -- lifecycle`)
  await story({ env: environment(), stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, signal: stopping.signal })
} catch (error) {
  if (!(error instanceof Failure)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}
