// What Postgres keeps of a password: the SCRAM-SHA-256 verifier, computed here so that the password itself never goes there.
import { createHash, createHmac, pbkdf2, randomBytes } from 'node:crypto'
import { promisify } from 'node:util'

const derive = promisify(pbkdf2)

/** Postgres's own default; more would protect passwords that can be guessed, and ours cannot. */
const ITERATIONS = 4096
const SALT_BYTES = 16

/**
 * `SCRAM-SHA-256$<iterations>:<salt>$<StoredKey>:<ServerKey>` (RFC 5802 section 3, RFC 7677; the form is that of
 * Postgres's `pg_authid.rolpassword`).
 * @param password printable ASCII, for which SASLprep changes nothing
 */
export const scramVerifier = async (password: string, salt: Buffer = randomBytes(SALT_BYTES), iterations = ITERATIONS): Promise<string> => {
  if (!/^[\x21-\x7e]+$/.test(password)) throw new Error('a password for a verifier must be printable ASCII')
  const { storedKey, serverKey } = await scramKeys(password, salt, iterations)
  return `SCRAM-SHA-256$${iterations}:${salt.toString('base64')}$${storedKey.toString('base64')}:${serverKey.toString('base64')}`
}

/** The keys themselves; `clientKey` is what a client proves it has. */
export const scramKeys = async (password: string, salt: Buffer, iterations: number) => {
  const salted = await derive(password, salt, iterations, 32, 'sha256')
  const clientKey = hmac(salted, 'Client Key')
  return { clientKey, storedKey: createHash('sha256').update(clientKey).digest(), serverKey: hmac(salted, 'Server Key') }
}

const hmac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text, 'ascii').digest()
