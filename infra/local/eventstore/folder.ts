// The data folder: made if missing, refused if in use or of a newer format.
import { closeSync, fstatSync, mkdirSync, openSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { type Server, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A reason not to start, told in one line. */
export class StartError extends Error {}

const FORMAT = 1
const FORMAT_FILE = 'format'

const textOf = (error: unknown): string => error instanceof Error ? error.message : String(error)

const readFormat = (path: string): string | undefined => {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

const checkFormat = (dataDir: string): void => {
  const path = join(dataDir, FORMAT_FILE)
  const found = readFormat(path)
  if (found === undefined) {
    writeFileSync(`${path}.new`, `chancery-eventstore ${FORMAT}\n`)
    renameSync(`${path}.new`, path)
    return
  }
  const version = Number(/^chancery-eventstore (\d+)$/.exec(found)?.[1])
  if (version === FORMAT) return
  throw new StartError(version > FORMAT
    ? `the data folder ${dataDir} has format ${version}, newer than this version's ${FORMAT}: use the version of Chancery that wrote it, or another folder`
    : `the file ${path} is not that of an event store: use another folder`)
}

/**
 * Holds the folder as long as the process lives: a socket whose name is the folder's identity. The kernel takes it back
 * when the process dies however it dies, so nothing stale is ever left (docs/adr/0012).
 */
const lock = async (dataDir: string, folder: number): Promise<Server> => {
  const { dev, ino } = fstatSync(folder)
  const name = `chancery-eventstore-${dev}-${ino}`
  const server = createServer((socket) => { socket.destroy() })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(error.code === 'EADDRINUSE' ? new StartError(`the data folder ${dataDir} is in use by another event store: stop it, or use another folder`) : error)
    })
    // an abstract socket where there are such (Linux), else a file that a crash may leave and that has to be removed by hand
    server.listen(process.platform === 'linux' ? `\0${name}` : join(tmpdir(), `${name}.sock`), resolve)
  })
  server.unref()
  return server
}

/** Makes the folder ready and returns what gives it back. */
export const takeFolder = async (dataDir: string): Promise<() => Promise<void>> => {
  try {
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    // kept open: should somebody remove the folder under us, its number must not go to another folder
    const folder = openSync(dataDir, 'r')
    let held: Server | undefined
    try {
      held = await lock(dataDir, folder)
      checkFormat(dataDir)
    } catch (error) {
      held?.close()
      closeSync(folder)
      throw error
    }
    const socket = held
    return () => new Promise((resolve) => {
      closeSync(folder)
      socket.close(() => { resolve() })
    })
  } catch (error) {
    throw error instanceof StartError ? error : new StartError(`the data folder ${dataDir} cannot be used: ${textOf(error)}`)
  }
}
