// gRPC status codes, and the error that carries one to the peer.

export const Code = {
  OK: 0,
  UNKNOWN: 2,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14
} as const
export type Code = typeof Code[keyof typeof Code]

export class GrpcError extends Error {
  readonly code: Code
  readonly trailers: Readonly<Record<string, string>>

  constructor (code: Code, message: string, trailers: Record<string, string> = {}) {
    super(message)
    this.code = code
    this.trailers = trailers
  }
}

/** Header values are ASCII: everything else is percent-encoded, as gRPC does with its messages. */
const headerValue = (text: string): string =>
  text.replace(/[^\x20-\x24\x26-\x7e]/gu, (character) => {
    let out = ''
    for (const byte of Buffer.from(character, 'utf8')) out += `%${byte.toString(16).toUpperCase().padStart(2, '0')}`
    return out
  })

/** Longer values make a header block that clients refuse whole. */
const LONGEST_VALUE = 1_000

export const statusHeaders = ({ code, message, trailers }: GrpcError): Record<string, string> => {
  const out: Record<string, string> = { 'grpc-status': String(code) }
  if (message !== '') out['grpc-message'] = headerValue(message.slice(0, LONGEST_VALUE))
  for (const [key, value] of Object.entries(trailers)) out[key] = headerValue(value.slice(0, LONGEST_VALUE))
  return out
}
