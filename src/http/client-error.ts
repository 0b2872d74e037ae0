// Answers what Node's HTTP parser refused before there was a request.
import type { Socket } from 'node:net'
import { randomBytes } from 'node:crypto'
import { Refusal, codes, type Code } from '../domain/codes.ts'
import { problemOf, PROBLEM_TYPE } from './problems.ts'

const KNOWN: Readonly<Record<string, [Code, string]>> = {
  HPE_HEADER_OVERFLOW: ['header_fields_too_large', 'The header is larger than 8 KiB.'],
  ERR_HTTP_REQUEST_TIMEOUT: ['invalid_request', 'The request did not arrive in time.']
}

/** Fastify's `clientErrorHandler`: one problem body, then the connection is closed. */
export const onClientError = (error: NodeJS.ErrnoException, socket: Socket): void => {
  if (error.code === 'ECONNRESET' || socket.destroyed || !socket.writable) return
  const [code, detail] = KNOWN[error.code ?? ''] ?? ['invalid_request', 'The request is not well-formed HTTP.']
  const status = error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : codes[code].status
  const body = JSON.stringify({ ...problemOf(new Refusal(code, detail), randomBytes(16).toString('hex')), status })
  socket.end(`HTTP/1.1 ${status} \r\ncontent-type: ${PROBLEM_TYPE}\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`)
}
