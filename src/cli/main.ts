// Entry of `npm run chancery -- <verb>`: gives one run its surroundings and the process its exit code.
import { environment } from '../config.ts'
import { run } from './run.ts'

const stopping = new AbortController()
process.once('SIGINT', () => { stopping.abort() })
// A reader that has seen enough (`| head`) closes the pipe: that ends the run without a word.
process.stdout.on('error', (error: NodeJS.ErrnoException) => { process.exit(error.code === 'EPIPE' ? 0 : 1) })

process.exitCode = await run(process.argv.slice(2), {
  env: environment(), stdin: process.stdin, stdout: process.stdout, stderr: process.stderr, signal: stopping.signal
})
