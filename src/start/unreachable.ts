// Tells why a server or a folder that the settings name cannot be used, without the password in its address.
import { StartError } from '../start-error.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../log-errors.ts'

/** SQLSTATEs of a server that answers and refuses us: wrong user or password, no such database, no right. */
const refused: Readonly<Record<string, string>> = {
  '28P01': 'it refuses the user or the password', 28000: 'it refuses the user', '3D000': 'it has no such database', 42501: 'the user lacks a right there'
}
const unreachable = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENETUNREACH', 'ECONNRESET'])

/** Turns trouble with Postgres at the start into a StartError; other errors pass. */
export const inPostgres = (error: unknown, url: string): unknown => {
  const { code = '', message = '' } = error as NodeJS.ErrnoException
  const why = refused[code] ?? (unreachable.has(code) ? `it cannot be reached (${code})` : undefined)
  return why === undefined
    ? error
    : new StartError(`Postgres at ${place(url)} cannot be used: ${why}.`, [`it said: ${message || code}`, 'check CHANCERY_POSTGRES_URL, or leave it out to run a local Postgres'], { cause: error })
}

/** Turns trouble with the event store at the start into a StartError; other errors pass. */
export const inEventStore = (error: unknown, url: string): unknown =>
  error instanceof LogUnavailable || error instanceof LogOutcomeUnknown
    ? new StartError(`The event store at ${place(url)} does not answer.`, [`it was tried: ${error.message}`, 'check CHANCERY_EVENTSTORE_URL, or leave it out to run a local event store'], { cause: error })
    : error

/** Turns trouble with a folder into a StartError; other errors pass. */
export const inFolder = (error: unknown, folder: string): unknown => {
  const { code = '' } = error as NodeJS.ErrnoException
  const why: Readonly<Record<string, string>> = {
    EACCES: 'this account may not write there', EPERM: 'this account may not write there', EROFS: 'the file system is read-only',
    ENOTDIR: 'a part of the path is a file', EEXIST: 'it is a file', ENOSPC: 'the disk is full'
  }
  return why[code] === undefined
    ? error
    : new StartError(`The data folder ${folder} cannot be used: ${why[code]}.`, ['choose another one: CHANCERY_DATA_DIR=/path/to/folder', 'or give this account the right to write there'], { cause: error })
}

const place = (url: string): string => URL.canParse(url) ? new URL(url).host : 'the address of the setting'
