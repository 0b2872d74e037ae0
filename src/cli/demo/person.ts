// The person at the other end of the link: a browser that opens it, and an authenticator that answers.
import type { Client } from '../client.ts'
import { createAuthenticator, type CreationOptions } from './authenticator.ts'

interface Options { public_key: CreationOptions }

/** Steps of an enrolment as the page at the link takes them; each is one request without an access token. */
export const createPerson = (client: Client, link: URL) => {
  const token = link.hash.slice(1)
  const post = <Body>(step: string, body: object = {}) =>
    client.request<Body>('POST', `/api/v1/enrolment/${step}`, { body: { token, ...body }, token: 'never' })
  return {
    open: () => post('open'),
    options: () => post<Options>('options'),
    /** Makes a key pair, and answers the challenge with a real attestation for the link's origin. */
    register: (options: CreationOptions) => post('verify', { response: createAuthenticator().register(options, link.origin) })
  }
}
