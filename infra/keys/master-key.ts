// The master key: from a setting, or from a file that is made at the first start.
import { createSecretKey, type KeyObject } from 'node:crypto'
import { closeSync, existsSync, fsyncSync, linkSync, openSync, readFileSync, statSync, unlinkSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { StartError } from '../../src/start-error.ts'
import { deriveKey, KEY_BYTES, newKey } from './cipher.ts'

export interface MasterKey {
  key: KeyObject
  /** Tells master keys apart without telling the key. */
  id: string
  /** Where it came from, for messages. */
  source: string
  /** True if the file was made just now. */
  made: boolean
}

/**
 * @param options.setting 32 bytes in hex or base64; holds over the file
 * @param options.create false for a file that somebody else provides: it must exist, and its mode is theirs to choose
 * @throws StartError
 */
export const loadMasterKey = ({ file, setting, create = true }: { file: string, setting?: string | undefined, create?: boolean }): MasterKey => {
  if (setting !== undefined) return masterKey(decode(setting, 'CHANCERY_MASTER_KEY'), 'CHANCERY_MASTER_KEY', false)
  const made = create && !existsSync(file) && make(file)
  const text = read(file)
  if (create) refuseOpenMode(file)
  return masterKey(decode(text, file), file, made)
}

/** A master key from its bytes; for tests and for the rotation. */
export const masterKey = (bytes: Uint8Array, source: string, made = false): MasterKey => {
  const key = createSecretKey(bytes)
  return { key, id: deriveKey(key, 'master-id').export().toString('hex').slice(0, 16), source, made }
}

const decode = (text: string, source: string): Buffer => {
  const trimmed = text.trim()
  const bytes = /^[0-9a-fA-F]{64}$/.test(trimmed) ? Buffer.from(trimmed, 'hex') : Buffer.from(trimmed, 'base64')
  if (bytes.length === KEY_BYTES && /^[0-9A-Za-z+/_-]+=?$/.test(trimmed)) return bytes
  throw new StartError(`${source} does not hold a master key: 32 bytes in hex or base64 are expected`,
    ['Restore it from its backup. A new key opens nothing that the old one sealed.'])
}

const read = (file: string): string => {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new StartError(`the master key ${file} cannot be read: ${(error as Error).message}`, ['Restore the file, or let this account read it.'])
  }
}

const refuseOpenMode = (file: string): void => {
  const mode = statSync(file).mode & 0o777
  if ((mode & 0o077) === 0) return
  throw new StartError(`the master key ${file} can be read by others (mode ${mode.toString(8)})`, [`chmod 600 ${file}`])
}

/** Written and flushed under another name and then linked: no reader ever sees half a key, and two starts agree on one. */
const make = (file: string): boolean => {
  const draft = `${file}.${process.pid}.new`
  try {
    const handle = openSync(draft, 'wx', 0o600)
    writeSync(handle, `${newKey().toString('base64url')}\n`)
    fsyncSync(handle)
    closeSync(handle)
    linkSync(draft, file)
    flushFolder(dirname(file))
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST' && existsSync(file)) return false
    throw new StartError(`the master key ${file} cannot be made: ${(error as Error).message}`, ['Make the folder writable for this account.'])
  } finally {
    if (existsSync(draft)) unlinkSync(draft)
  }
}

const flushFolder = (folder: string): void => {
  const handle = openSync(folder, 'r')
  fsyncSync(handle)
  closeSync(handle)
}
