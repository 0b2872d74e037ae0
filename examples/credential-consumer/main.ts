// A service that takes its credentials from Chancery: by push or pull, and proves which value it uses.
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { createCredentialConsumer, createCredentialsService, fileStore, loadOrMakeKey } from '../../kits/credentials/src/index.ts'
import { followRedis } from '../../kits/credentials/src/redis.ts'
import { bodyOf, createApi } from './api.ts'
import { changed, noFaults, type Faults } from './faults.ts'
import { readSettings } from './settings.ts'
import { startWork } from './work.ts'

/** Standard output has one line, for whoever started it; what happens is told on standard error. */
const say = (line: string): void => { process.stderr.write(`${line}\n`) }
const settings = readSettings(process.env)
const { name, credentials, pull, dataDir, redisUrl, stream, pollMs, host } = settings

await mkdir(dataDir, { recursive: true, mode: 0o700 })
const consumer = createCredentialConsumer({
  name,
  credentials,
  key: await loadOrMakeKey(join(dataDir, 'key.json')),
  service: createCredentialsService({ url: settings.chanceryUrl, token: settings.chanceryToken, consumer: name }),
  store: fileStore(join(dataDir, 'credentials')),
  // The work asks for the value in use with each request; a service with open connections would change them here.
  use: ({ credential, valueId, deliverySeq }) => { say(`uses ${credential} ${valueId}, delivery ${deliverySeq}`) },
  ...pull && { pull: { pollMs, ...redisUrl !== undefined && { follow: followRedis({ url: redisUrl, stream }) } } },
  onTrouble: ({ credential, doing, error }) => { say(`trouble ${doing} ${credential ?? ''}: ${error instanceof Error ? error.message : String(error)}`) }
})
const work = startWork({ url: settings.useUrl, everyMs: settings.useEveryMs, value: () => consumer.holding(credentials[0] ?? '')?.value })

let faults: Faults = { ...noFaults }
const state = () => ({
  name,
  holdings: credentials.map((credential) => {
    const held = consumer.holding(credential)
    return { credential, value_id: held?.valueId ?? null, delivery_seq: held?.deliverySeq ?? null }
  }),
  work: work.counts(),
  faults
})

const api = createApi({ consumer, faults: () => faults, state, say })
const listen = async (server: Server, port: number): Promise<number> => {
  server.listen(port, host)
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
const port = await listen(api, settings.port)

/** Away is away: its port is closed, so that connecting to it fails as it does where no process runs. */
const setAway = async (away: boolean): Promise<void> => {
  if (away === !api.listening) return
  if (away) {
    const closed = once(api, 'close')
    api.close()
    api.closeAllConnections()
    await closed
  } else {
    await listen(api, port)
  }
}

/** `POST /faults` changes those it names, `POST /fetch` fetches now, `POST /work` does the work once, `GET /state`. */
const control = createServer((request, response) => {
  const command = async (): Promise<object> => {
    const body = (await bodyOf(request)).toString('utf8')
    switch (`${request.method ?? ''} ${request.url ?? ''}`) {
      case 'GET /state': return state()
      case 'POST /faults': {
        faults = changed(faults, JSON.parse(body === '' ? '{}' : body))
        await setAway(faults.away)
        return { faults }
      }
      case 'POST /fetch': return { fetched: await Promise.all(credentials.map((credential) => consumer.fetch(credential))) }
      case 'POST /work': return { status: await work.once() ?? null }
      default: throw new Error('there is POST /faults, POST /fetch, POST /work and GET /state')
    }
  }
  command().then((body) => { response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body)) }, (error: unknown) => {
    response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ error: error instanceof Error ? error.message : String(error) }))
  })
})
const controlPort = settings.controlPort === undefined ? undefined : await listen(control, settings.controlPort)

await consumer.start()
const url = `http://${host}:${port}`
process.stdout.write(`${JSON.stringify({
  name, port, url, push_url: `${url}/deliveries`, healthcheck: `${url}/health`, ...controlPort !== undefined && { control_url: `http://${host}:${controlPort}` }
})}\n`)

const stop = async (): Promise<void> => {
  for (const server of [api, control]) {
    server.close()
    server.closeAllConnections()
  }
  await Promise.all([consumer.stop(), work.stop()])
}
process.once('SIGTERM', () => { void stop() })
process.once('SIGINT', () => { void stop() })
