// What tests leave behind is kept until the end of the run, and every secret they make is written down: then all of it is
// searched (test/support/after.ts). A test file that runs by itself leaves nothing.
import { appendFileSync, existsSync, mkdirSync } from 'node:fs'
import { rename, rm, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { Canary } from './canary.ts'
import { canaryFile, leftFolder } from './run.ts'

/** True if what this test leaves behind is searched afterwards. */
export const isSearched = (): boolean => existsSync(leftFolder())

/** Instead of removing a folder at a test's end. */
export const leaveFolder = async (folder: string): Promise<void> => {
  if (!isSearched()) return rm(folder, { recursive: true, force: true })
  await rename(folder, join(leftFolder(), basename(folder))).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  })
}

/** Keeps text that would be gone with the test. */
export const leaveText = async (name: string, text: string): Promise<void> => {
  if (isSearched()) await writeFile(join(leftFolder(), name), text, { mode: 0o600 })
}

const noted = new Set<string>()

/** Notes a secret, or what is personal, as it is made: it may occur nowhere but where `allowed` says. */
export const noteCanary = ({ what, text, allowed }: Canary): void => {
  const bytes = Buffer.from(text)
  const id = bytes.toString('base64')
  if (noted.has(id) || bytes.length < 12 || !isSearched()) return
  noted.add(id)
  const line = { what, allowed: allowed?.source, ...typeof text === 'string' ? { text } : { bytes: id } }
  appendFileSync(canaryFile(), `${JSON.stringify(line)}\n`, { mode: 0o600 })
}

/** A line of the file of canaries. */
export const readCanary = (line: string): Canary => {
  const { what, allowed, text, bytes } = JSON.parse(line) as { what: string, allowed?: string, text?: string, bytes?: string }
  return { what, text: text ?? Buffer.from(bytes ?? '', 'base64'), ...allowed !== undefined && { allowed: new RegExp(allowed) } }
}

/** Mails lie in the outbox in clear, with their links. */
const OUTBOX = /\/outbox\//
/** What the terminal shows anybody as an example. */
const EXAMPLES = new Set(['ada@example.com'])
/** As many of one request. */
const MOST = 20

/** Access tokens in an answer: the part of each that nobody could guess. The first one is shown once on the operator's terminal. */
export const noteTokens = (text: string): void => {
  for (const [, secret = ''] of text.matchAll(/chy_[0-9a-f-]{36}\.[0-9a-f-]{36}_([0-9A-Za-z]{43})_/g)) {
    noteCanary({ what: 'an access token', text: secret, allowed: /superadmin\.token$|\/printed-\d+\.out$/ })
  }
}

/** The secret of a walkthrough token. */
const noteLink = (token: string): void => {
  const secret = /^[\w-]{22}\.[\w-]{22}\.([\w-]{43})$/.exec(token)?.[1]
  if (secret !== undefined) noteCanary({ what: 'the secret of a link', text: secret, allowed: OUTBOX })
}

/** What a request says of persons: addresses, whatever calls itself a canary, and the secrets of links. */
export const notePersons = (body: unknown): void => {
  const text = typeof body === 'string' ? body : JSON.stringify(body) ?? ''
  const strings = [...text.matchAll(/"((?:[^"\\]|\\.)*)"\s*[,}\]]/g)].map(([, found = '']) => found)
  const personal = strings.filter((found) => /canary|^[^\s@\\]+@[^\s@\\]+\.[a-z]+$/i.test(found) && !/^[a-z_.]+$|\\/.test(found) && !EXAMPLES.has(found))
  for (const found of personal.slice(0, MOST)) noteCanary({ what: 'something personal', text: found.slice(0, 60), allowed: OUTBOX })
  for (const found of strings) noteLink(found)
}

/** Begins a run: an empty folder, in which there is a leak that the search has to find. */
export const beginRun = (planted: Canary): void => {
  mkdirSync(join(leftFolder(), 'planted'), { recursive: true, mode: 0o700 })
  noteCanary(planted)
  appendFileSync(join(leftFolder(), 'planted', 'leak.bin'), Buffer.from(`x${Buffer.from(planted.text).toString('base64')}`))
}
