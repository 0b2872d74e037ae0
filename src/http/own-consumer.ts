// Who asks on behalf of a consumer: its owner, or a superadmin; whoever else tries is entered in the log, as at the door.
import type { FastifyRequest } from 'fastify'
import { Refusal } from '../domain/codes.ts'
import type { Asking } from '../domain/consumer/consumer.ts'
import { noteForbidden } from './forbid.ts'

/** Runs a command on a consumer as the caller. What is refused with `forbidden` is noted before it is answered. */
export const asOwner = async <T>(request: FastifyRequest, command: (by: Asking) => Promise<T>): Promise<T> => {
  const { caller, routeOptions: { url = '' } } = request
  if (caller === undefined) throw new Error(`${url} has no authenticated caller`)
  try {
    return await command({ principalId: caller.principalId, forOthers: caller.roles.has('superadmin') })
  } catch (error) {
    if (error instanceof Refusal && error.code === 'forbidden') await noteForbidden(request, 'lobby.write')
    throw error
  }
}
