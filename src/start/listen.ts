// Listening: says in plain words why a port cannot be had, before anything else is started.
import { createServer } from 'node:net'
import { StartError } from '../start-error.ts'
import type { Config } from '../config.ts'

interface Listener { listen (options: { host: string, port: number }): Promise<string> }

/** Rejects with StartError if the port is taken; a look, not a reservation. */
export const ensureFreePort = async ({ host, port }: Config['http']): Promise<void> => {
  const probe = createServer()
  try {
    await new Promise<void>((resolve, reject) => { probe.once('error', reject).listen({ host, port }, () => { resolve() }) })
  } catch (error) {
    throw inWords(error, { host, port })
  }
  await new Promise((resolve) => probe.close(resolve))
}

/** Listens and returns the address with its real port. */
export const listenOn = async (app: Listener, { host, port }: Config['http']): Promise<string> => {
  try {
    return await app.listen({ host, port })
  } catch (error) {
    throw inWords(error, { host, port })
  }
}

const inWords = (error: unknown, { host, port }: { host: string, port: number }): unknown => {
  const { code } = error as NodeJS.ErrnoException
  if (code === 'EADDRINUSE') {
    return new StartError(`Port ${port} on ${host} is in use by another program.`, [
      'stop that one', `or choose another port: CHANCERY_HTTP_PORT=${port === 8420 ? 8421 : 8420}`
    ], { cause: error })
  }
  if (code === 'EACCES') {
    return new StartError(`This account may not listen on port ${port}.`, ['choose a port above 1023: CHANCERY_HTTP_PORT=8420'], { cause: error })
  }
  if (code === 'EADDRNOTAVAIL' || code === 'ENOTFOUND') {
    return new StartError(`This machine has no address ${host} to listen on.`, [
      'set CHANCERY_HTTP_HOST to one of its addresses, or leave it out for 127.0.0.1'
    ], { cause: error })
  }
  return error
}
