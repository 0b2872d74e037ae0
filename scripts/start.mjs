// What `npm start` runs: says what is missing before it can fail with a stack trace, then runs the service.
import { existsSync } from 'node:fs'

const [major, minor] = process.versions.node.split('.').map(Number)
const main = new URL('../dist/src/main.js', import.meta.url)

const missing = (major < 20 || (major === 20 && minor < 20))
  ? `Chancery needs Node 20.20 or newer; this is ${process.versions.node}.`
  : !existsSync(new URL('../node_modules/fastify', import.meta.url))
      ? 'The packages are not installed: run npm ci.'
      : !existsSync(main) ? 'The program is not built: run npm ci (or npm run build).' : undefined

if (missing === undefined) {
  await import(main.href)
} else {
  process.stderr.write(`${missing}\n`)
  process.exit(1)
}
