// `npm test`: the check beside the tests, since neither keeps two cores busy alone. Both go on to their end; it fails if either does.
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/** @returns {Promise<boolean>} whether it ended well */
const well = async (child) => (await once(child, 'close'))[0] === 0

const check = spawn('npm', ['run', '--silent', 'check'], { stdio: ['ignore', 'pipe', 'pipe'] })
// Told in one piece: between the lines of the tests nobody could read it.
let told = ''
for (const stream of [check.stdout, check.stderr]) stream.setEncoding('utf8').on('data', (text) => { told += text })
const checked = well(check).then((good) => {
  process.stderr.write(good ? '# npm run check: nothing to complain of\n' : `# npm run check failed\n${told}\n`)
  return good
})

const tap = (word) => well(spawn('tap', [word], { stdio: 'inherit' }))
// Without the plugins that .taprc takes out: `run` alone builds only when it finds that they are there.
const tested = await tap('build') && await tap('run')
if (!await checked) process.stderr.write(`\nnpm run check failed:\n${told}\n`)
process.exitCode = tested && await checked ? 0 : 1
