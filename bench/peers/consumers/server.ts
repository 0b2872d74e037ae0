// Two hundred consumers in one process, each with a port of its own: takes what is pushed, and proves the value that it was told.
// Each answer takes so many ms: 0, or what a consumer needs that stores what it is given before it says so.
import { createHmac } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'

const COUNT = Number(process.argv[2] ?? 200)
const TAKES_MS = Number(process.argv[3] ?? 0)
let value = ''

const answer = async (request: IncomingMessage): Promise<object> => {
  const { pathname, searchParams } = new URL(request.url ?? '/', 'http://consumer')
  switch (`${request.method ?? ''} ${pathname}`) {
    case 'POST /deliveries':
      // It opens nothing: what a consumer does with a delivery is its own time, on its own machine.
      await text(request)
      return { status: 'taken' }
    case 'GET /health':
      return { status: 'ok', proof: createHmac('sha256', value).update(`chancery-possession:${searchParams.get('credential') ?? ''}:${searchParams.get('nonce') ?? ''}`).digest('base64url') }
    case 'PUT /value':
      value = await text(request)
      return {}
    default: return {}
  }
}

const listen = async (): Promise<number> => {
  const server = createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
    void Promise.all([answer(request), TAKES_MS > 0 && delay(TAKES_MS)]).then(([body]) => {
      response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}
const ports: number[] = []
for (let i = 0; i < COUNT; i++) ports.push(await listen())
process.stdout.write(`${JSON.stringify({ ports })}\n`)
