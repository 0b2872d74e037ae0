// Who may look at deleted accounts, and why: the parameters `include_deleted`, `reason` and `ticket` of the admin's reads.
import type { FastifyRequest } from 'fastify'
import type { Opening } from '../commands/users/record.ts'
import { refuse } from '../domain/codes.ts'
import { Clear } from '../domain/personal.ts'
import { allows } from '../domain/principal/roles.ts'
import { commandContext } from './command-context.ts'
import { forbid } from './forbid.ts'

const PERMISSION = 'accounts.open_deleted'

/**
 * The context of the facts that deleted accounts are shown; undefined if none are asked for. Refuses with `forbidden`
 * (which is noted, as at the door) and, without a reason, with `invalid_request`.
 */
export const openingOf = async (
  request: FastifyRequest, { include_deleted: wanted, reason, ticket }: { include_deleted?: 'true' | 'false', reason?: string, ticket?: string }
): Promise<Opening | undefined> => {
  if (wanted !== 'true') {
    return reason === undefined && ticket === undefined ? undefined : refuse('invalid_request', 'reason and ticket belong to include_deleted=true.')
  }
  const { caller } = request
  if (caller === undefined || !allows(caller.roles, PERMISSION)) {
    return await forbid(request, PERMISSION, `Deleted accounts need the right ${PERMISSION}, which none of your roles carries.`)
  }
  if (reason === undefined) return refuse('invalid_request', 'include_deleted=true needs a reason: it is recorded with each deleted account that is shown.')
  const context = commandContext(request, { ...ticket !== undefined && { ticket } })
  return (userId) => ({ ...context, reason: new Clear(reason, `user-${userId}`) })
}
