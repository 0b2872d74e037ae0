// Why a request got no answer that counts: a closed list of words, from the errors of names, sockets, TLS and HTTP.

export const failures = [
  /** The URL or a header cannot be sent as it is. */
  'request_invalid', 'url_invalid', 'credentials_in_url', 'scheme_forbidden', 'address_forbidden',
  /** Before anything was sent. */
  'name_unknown', 'connection_refused', 'unreachable', 'tls',
  'timeout', 'connection_lost', 'answer_malformed', 'too_large', 'redirect_refused'
] as const
export type Failure = (typeof failures)[number]

/** A failure that has its word already. */
export class OutgoingFailure extends Error {
  readonly failure: Failure

  constructor (failure: Failure) {
    super(failure)
    this.failure = failure
  }
}

const byCode: Readonly<Record<string, Failure>> = {
  ENOTFOUND: 'name_unknown',
  ENODATA: 'name_unknown',
  EAI_AGAIN: 'name_unknown',
  EAI_FAIL: 'name_unknown',
  ECONNREFUSED: 'connection_refused',
  EHOSTUNREACH: 'unreachable',
  ENETUNREACH: 'unreachable',
  ENETDOWN: 'unreachable',
  EADDRNOTAVAIL: 'unreachable',
  EACCES: 'unreachable',
  ETIMEDOUT: 'timeout',
  UND_ERR_CONNECT_TIMEOUT: 'timeout',
  UND_ERR_HEADERS_OVERFLOW: 'too_large',
  HPE_HEADER_OVERFLOW: 'too_large',
  UND_ERR_INVALID_ARG: 'request_invalid'
}

/** The word for an error; `sent` says whether the request may have left. */
export const failureOf = (error: unknown, sent: boolean): Failure => {
  if (error instanceof OutgoingFailure) return error.failure
  // Several addresses were tried; what became of the first is said.
  const first: unknown = error instanceof AggregateError ? error.errors[0] : error
  const { name, code } = (first ?? {}) as { name?: unknown, code?: unknown }
  return byCode[String(code)] ?? (name === 'HTTPParserError' || code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH' ? 'answer_malformed' : sent ? 'connection_lost' : 'unreachable')
}
