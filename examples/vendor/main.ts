// A small vendor of access tokens on loopback: says as a line of JSON where it listens and which token may mint.
import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { json } from 'node:stream/consumers'
import { createApi } from './api.ts'
import { createAuthorizations } from './authorizations.ts'
import { createControl } from './control.ts'
import { createFaults } from './faults.ts'

const authorizations = createAuthorizations()
const faults = createFaults()
const parts = { authorizations, faults }
const api = createApi(parts)
const control = createControl(parts)
const connection = authorizations.make({
  description: 'may mint', scope: 'global', ...(process.env['VENDOR_CONNECTION_TOKEN'] !== undefined && { token: process.env['VENDOR_CONNECTION_TOKEN'] })
})

const server = createServer((request, response) => {
  const path = new URL(request.url ?? '/', 'http://vendor').pathname
  const bodyOf = async (): Promise<Record<string, unknown>> =>
    request.headers['content-length'] === undefined ? {} : await json(request) as Record<string, unknown>
  const answer = async (): Promise<void> => {
    const body = await bodyOf()
    if (!path.startsWith('/control')) return api(request, response, path, body)
    const [status, content] = control(request.method ?? '', path, body)
    response.writeHead(status, { 'content-type': 'application/json' }).end(content === undefined ? undefined : JSON.stringify(content))
  }
  answer().catch((error: unknown) => { response.writeHead(400, { 'content-type': 'application/json' }).end(JSON.stringify({ id: 'bad_request', message: String(error) })) })
})
server.listen(Number(process.env['VENDOR_PORT'] ?? 0), '127.0.0.1')
await once(server, 'listening')
const { port } = server.address() as AddressInfo
process.stdout.write(`${JSON.stringify({ url: `http://127.0.0.1:${port}`, port, connection: { id: connection.id, token: connection.token } })}\n`)

const stop = (): void => {
  server.close()
  server.closeAllConnections()
}
process.on('SIGTERM', stop)
process.on('SIGINT', stop)
