// Finds a port for a server that cannot choose one itself.
import { createServer } from 'node:net'

/** A port of loopback that is free now; somebody may take it before the server listens, so the start is tried again. */
export const freePort = () => new Promise<number>((resolve, reject) => {
  const probe = createServer().once('error', reject)
  probe.listen(0, '127.0.0.1', () => {
    const address = probe.address()
    probe.close(() => { resolve(typeof address === 'object' && address !== null ? address.port : 0) })
  })
})
