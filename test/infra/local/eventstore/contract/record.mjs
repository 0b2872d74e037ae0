// node record.mjs URL OUT.json [--only TEXT] [--part I/N]
import { randomBytes } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { CLIENT_VERSION, es } from './lib/client.mjs'
import { Context, sleep } from './lib/context.mjs'
import { scenarios } from './scenarios/index.mjs'

const args = process.argv.slice(2)
const onlyAt = args.indexOf('--only')
const only = onlyAt < 0 ? undefined : args.splice(onlyAt, 2)[1]
const partAt = args.indexOf('--part')
// parts can be recorded side by side, each against a server of its own
const [part, parts] = partAt < 0 ? [0, 1] : args.splice(partAt, 2)[1].split('/').map(Number)
const [url, out] = args
const match = /^esdb:\/\/(?:[^@/]*@)?([^:/?]+):(\d+)/.exec(url ?? '')
if (!match || !out) {
  console.error('usage: node record.mjs esdb://HOST:PORT?tls=false OUT.json [--only TEXT] [--part I/N]')
  process.exit(2)
}
const SCENARIO_LIMIT_MS = 120_000
const target = { host: match[1], port: Number(match[2]) }

// A late error of a call that a scenario has already given up must not end the recording.
process.on('unhandledRejection', (error) => console.error('  late rejection:', error?.message))
process.on('uncaughtException', (error) => console.error('  late error:', error?.message))

const salt = randomBytes(4).toString('hex')

async function waitForServer () {
  const limit = Date.now() + 60_000
  for (;;) {
    const client = es.EventStoreDBClient.connectionString(`esdb://${target.host}:${target.port}?tls=false`)
    try {
      await client.appendToStream(`x${salt}-ready`, es.jsonEvent({ type: 'ready', data: {} }), { deadline: 2000 })
      return
    } catch (error) {
      if (Date.now() > limit) {
        console.error(`no server at ${target.host}:${target.port}: ${error.message}`)
        process.exit(1)
      }
      await sleep(500)
    } finally {
      await client.dispose()
    }
  }
}

await waitForServer()

const recorded = {}
let index = 0
for (const scenario of scenarios) {
  index += 1
  if (only && !scenario.name.includes(only)) continue
  if (index % parts !== part) continue
  if (scenario.name in recorded) throw new Error(`two scenarios are named ${scenario.name}`)
  const started = Date.now()
  const context = new Context({ target, salt, index })
  try {
    await Promise.race([
      scenario.run(context),
      sleep(SCENARIO_LIMIT_MS).then(() => Promise.reject(new Error('took too long'))),
    ])
  } catch (error) {
    console.error(`  ${scenario.name}:`, error)
    context.record('the scenario broke off', String(error?.message ?? error).split('\n')[0])
  }
  recorded[scenario.name] = context.result()
  await context.finish()
  console.error(`${String(Date.now() - started).padStart(6)} ms  ${scenario.name}`)
}

writeFileSync(out, `${JSON.stringify({ recorder: 1, client: CLIENT_VERSION, scenarios: recorded }, null, 1)}\n`)
console.error(`${Object.keys(recorded).length} scenarios written`)
process.exit(0)
