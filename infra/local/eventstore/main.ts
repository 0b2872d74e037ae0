// `npm run eventstore -- --data DIR --port PORT`: the local event store as a process of its own.
import { parseArgs } from 'node:util'
import { StartError, openEventStore } from './index.ts'

const USAGE = 'usage: npm run eventstore -- --data DIR --port PORT (0 takes a free one)'

const fail = (message: string): never => {
  process.stderr.write(`chancery eventstore: ${message}\n`)
  process.exit(1)
}

const readFlags = (): { dataDir: string, port: number } => {
  try {
    const { values } = parseArgs({ options: { data: { type: 'string' }, port: { type: 'string' } } })
    const port = values.port === undefined ? NaN : Number(values.port)
    if (!values.data || !/^\d{1,5}$/.test(values.port ?? '') || port > 65_535) return fail(USAGE)
    return { dataDir: values.data, port }
  } catch (error) {
    return fail(`${error instanceof Error ? error.message.split('\n')[0] : String(error)}; ${USAGE}`)
  }
}

const { dataDir, port } = readFlags()

try {
  const store = await openEventStore({
    dataDir,
    port,
    broken: (error) => fail(`the disk cannot be trusted any more, nothing was acknowledged: ${error.message}`)
  })
  process.stdout.write(`chancery eventstore ready on esdb://127.0.0.1:${store.port}?tls=false (data ${dataDir}; loopback only, not for production)\n`)
  let stopping = false
  const stop = (): void => {
    if (stopping) return
    stopping = true
    store.close().then(() => process.exit(0), (error: unknown) => fail(String(error)))
  }
  process.on('SIGTERM', stop)
  process.on('SIGINT', stop)
} catch (error) {
  fail(error instanceof StartError ? error.message : `cannot start: ${error instanceof Error ? error.message : String(error)}`)
}
