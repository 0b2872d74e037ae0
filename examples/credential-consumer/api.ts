// The consumer's own HTTP: where deliveries are pushed to, its healthcheck, and how it is doing.
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import type { CredentialConsumer, HttpAnswer } from '../../kits/credentials/src/index.ts'
import { nextPush, type Faults } from './faults.ts'

export interface ApiParts {
  consumer: CredentialConsumer
  faults: () => Faults
  state: () => object
  say: (line: string) => void
}

const LONGEST = 131_072
const json = (status: number, body: object): HttpAnswer => ({ status, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) })

/** `POST /deliveries`, `GET /health?credential=…&nonce=…`, `GET /state`. An answer that is undefined is never given. */
export const createApi = (parts: ApiParts): Server => createServer({ keepAliveTimeout: 60_000 }, (request, response) => {
  respond(parts, request).then((answer) => { if (answer !== undefined) write(response, answer) }, (error: unknown) => {
    parts.say(`a request failed: ${error instanceof Error ? error.message : String(error)}`)
    write(response, json(500, { error: 'it went wrong' }))
  })
})

const respond = async ({ consumer, faults, state, say }: ApiParts, request: IncomingMessage): Promise<HttpAnswer | undefined> => {
  const { method, url = '/' } = request
  const { pathname, searchParams } = new URL(url, 'http://consumer')
  if (method === 'GET' && pathname === '/state') return json(200, state())
  if (method === 'GET' && pathname === '/health') {
    if (faults().slow_ms > 0) await delay(faults().slow_ms)
    const { unhealthy, bare } = faults()
    return consumer.handleHealthcheck({ credential: searchParams.get('credential'), nonce: bare ? null : searchParams.get('nonce') }, !unhealthy)
  }
  if (method !== 'POST' || pathname !== '/deliveries') return json(404, { error: 'there is no such path' })
  const body = await bodyOf(request)
  const fate = nextPush(faults())
  if (faults().slow_ms > 0) await delay(faults().slow_ms)
  if (fate === 'refuse') return json(503, { error: 'not now' })
  if (fate === 'ignore') return json(200, { status: 'taken' })
  if (fate === 'late') await delay(faults().late_ms)
  const answer = await consumer.handlePush({ headers: request.headers, body })
  say(`a delivery was answered ${answer.status}${fate === 'take' ? '' : `, which nobody hears: ${fate}`}`)
  return fate === 'take' ? answer : undefined
}

const write = (response: ServerResponse, { status, headers, body }: HttpAnswer): void => { response.writeHead(status, headers).end(body) }

export const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > LONGEST) throw new Error('the body is too long')
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
