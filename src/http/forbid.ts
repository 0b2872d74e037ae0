// Refuses who may not: what he lacked is entered in the log first, at the door and behind it alike (decision 8).
import type { FastifyRequest } from 'fastify'
import { refuse } from '../domain/codes.ts'
import type { Permission } from '../domain/principal/roles.ts'

/** Enters that the caller, if there is one, lacked this right on this route. */
export const noteForbidden = async ({ caller, method, id, routeOptions: { url = '' }, server: { door: { access } } }: FastifyRequest, permission: Permission): Promise<void> => {
  if (caller !== undefined) await access.noteRefusal({ caller, permission, route: `${method} ${url}`, requestId: id })
}

/** @throws Refusal `forbidden` with the right that was missing, once that is entered */
export const forbid = async (request: FastifyRequest, permission: Permission, detail: string): Promise<never> => {
  await noteForbidden(request, permission)
  return refuse('forbidden', detail, { permission })
}
