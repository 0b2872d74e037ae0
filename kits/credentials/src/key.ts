// The consumer's key pair: made once, kept in a file that nobody else can read. Only its public half ever leaves.
import { randomBytes } from 'node:crypto'
import { link, open, readFile, stat, unlink } from 'node:fs/promises'
import { calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type CryptoKey } from 'jose'

/** JWK of an X25519 public key (RFC 8037). */
export interface PublicJwk { kty: 'OKP', crv: 'X25519', x: string }

export interface ConsumerKey {
  /** RFC 7638 thumbprint: `kid` of what is sealed to it. */
  keyId: string
  publicJwk: PublicJwk
  /** Opens deliveries; cannot be exported. */
  privateKey: CryptoKey
}

/**
 * The key of this file, made first if there is none. Of two processes that make it at once, both get the same.
 * @throws Error for a file that others can read, or that holds something else
 */
export const loadOrMakeKey = async (file: string): Promise<ConsumerKey> => await load(file) ?? await make(file)

const load = async (file: string): Promise<ConsumerKey | undefined> => {
  const found = await stat(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined
    throw error
  })
  if (found === undefined) return undefined
  const mode = found.mode & 0o777
  if ((mode & 0o077) !== 0) throw new Error(`${file} can be read by others (mode ${mode.toString(8)}): chmod 600 it, and better make a new key, since this one may be known`)
  // What is wrong with it is not repeated: it is a private key.
  const jwk = await readFile(file, 'utf8').then((text) => JSON.parse(text) as Record<string, unknown>).catch(() => ({}))
  const { kty, crv, x, d } = jwk as Partial<PublicJwk & { d: string }>
  if (kty !== 'OKP' || crv !== 'X25519' || typeof x !== 'string' || typeof d !== 'string') throw new Error(`${file} holds no X25519 key as a JWK`)
  const publicJwk: PublicJwk = { kty, crv, x }
  const privateKey = await importJWK({ ...publicJwk, d }, 'ECDH-ES', { extractable: false })
  if (privateKey instanceof Uint8Array) throw new Error(`${file} holds no X25519 key as a JWK`)
  return { keyId: await calculateJwkThumbprint(publicJwk), publicJwk, privateKey }
}

/** Written and flushed under another name and then linked: no reader ever sees half a key. */
const make = async (file: string): Promise<ConsumerKey> => {
  const { privateKey } = await generateKeyPair('ECDH-ES', { crv: 'X25519', extractable: true })
  const draft = `${file}.${randomBytes(6).toString('hex')}.new`
  const handle = await open(draft, 'wx', 0o600)
  try {
    await handle.writeFile(`${JSON.stringify(await exportJWK(privateKey))}\n`)
    await handle.sync()
    await handle.close()
    await link(draft, file).catch((error: NodeJS.ErrnoException) => { if (error.code !== 'EEXIST') throw error })
  } finally {
    await handle.close().catch(() => {})
    await unlink(draft).catch(() => {})
  }
  const made = await load(file)
  if (made === undefined) throw new Error(`${file} is gone as soon as it was made`)
  return made
}
