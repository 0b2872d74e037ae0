// Connections that are kept for a few seconds: one for each request under way to an origin, and used again by the next.
import { Client, type buildConnector } from 'undici'

/** One connection for one request; `free` once nothing more of that request comes. */
export interface Lease { client: Client, free: () => void }

export interface Connections {
  /** One that is kept afterwards, and perhaps was before. */
  take (origin: string): Lease
  /** A new one, closed with the answer. */
  takeOwn (origin: string): Lease
  /** Ends them all; what is under way fails. */
  destroy (): Promise<void>
}

interface Held { client: Client, busy: boolean, connected: boolean }

/**
 * undici's clients without its pools, which for the first request to a host take a third of the whole request's processor
 * time; a fan-out is hundreds of first requests. A client has one connection; here it has one request at a time as well.
 */
export const createConnections = ({ connect, keepMs }: { connect: buildConnector.connector, keepMs: number }): Connections => {
  const idle = new Map<string, Held[]>()
  const clients = new Set<Client>()

  const open = (origin: string): Held => {
    const held: Held = { client: new Client(origin, { connect, pipelining: 1, keepAliveTimeout: keepMs, keepAliveMaxTimeout: keepMs }), busy: true, connected: false }
    clients.add(held.client)
    held.client
      .on('connect', () => { held.connected = true })
      .on('disconnect', () => {
        held.connected = false
        if (!held.busy) leave(origin, held)
      })
    return held
  }

  /** Without its connection a client is nothing but memory. */
  const leave = (origin: string, held: Held): void => {
    clients.delete(held.client)
    const others = idle.get(origin)?.filter((other) => other !== held) ?? []
    if (others.length > 0) idle.set(origin, others)
    else idle.delete(origin)
  }

  const free = (origin: string, held: Held): void => {
    held.busy = false
    if (!held.connected) return leave(origin, held)
    const others = idle.get(origin)
    if (others === undefined) idle.set(origin, [held])
    else others.push(held)
  }

  return {
    take: (origin) => {
      const held = idle.get(origin)?.pop() ?? open(origin)
      held.busy = true
      return { client: held.client, free: () => { free(origin, held) } }
    },
    takeOwn: (origin) => {
      const client = new Client(origin, { connect, pipelining: 0 })
      clients.add(client)
      return { client, free: () => { clients.delete(client) } }
    },
    destroy: async () => {
      idle.clear()
      await Promise.all([...clients].map((client) => client.destroy()))
    }
  }
}
