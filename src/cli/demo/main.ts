// Entry of `npm run demo`: plays the ghosts' life against the running service, over HTTP, and says what it does.
import { environment } from '../../config.ts'
import { Failure } from '../failures.ts'
import { play } from './story.ts'

const stopping = new AbortController()
process.once('SIGINT', () => { stopping.abort() })

try {
  await play({ env: environment(), stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, signal: stopping.signal })
} catch (error) {
  if (!(error instanceof Failure)) throw error
  process.stderr.write(`\n${error.message}\n`)
  process.exitCode = 1
}
