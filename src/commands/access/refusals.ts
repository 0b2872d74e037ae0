// Enters that a known principal lacked a right: at most once per right and minute (decision 8).
import { streamName } from '../../domain/catalogue.ts'
import type { Permission } from '../../domain/principal/roles.ts'
import { WrongExpectedRevision } from '../../log-errors.ts'
import type { Clock, EventStore, ExpectedRevision, Ids } from '../../ports.ts'
import { dress } from '../metadata.ts'
import type { Caller } from './access.ts'

export interface RefusedAccess { caller: Caller, permission: Permission, route: string, requestId: string }

const MINUTE = 60_000
/** More than there are rights, so that the last minute's entries are all among them. */
const LOOKED_AT = 20
const ATTEMPTS = 3

/**
 * Appends `access.refused` to `refusal-{principal}` unless one of the last minute names the same right. It reads the
 * stream's last events instead of folding all of it: a caller who keeps asking must not make each next look longer.
 */
export const noteRefusal = async (deps: { events: EventStore, clock: Clock, ids: Ids }, refusal: RefusedAccess): Promise<void> => {
  const stream = streamName('refusal', refusal.caller.principalId)
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const at = deps.clock.now()
    const before = await lastOf(deps.events, stream, refusal.permission, at)
    if (before === 'noted') return
    try {
      await deps.events.append(stream, before, dress([factOf(refusal, at)], contextOf(deps.ids, refusal, at), deps.ids))
      return
    } catch (error) {
      if (!(error instanceof WrongExpectedRevision) || attempt === ATTEMPTS) throw error
    }
  }
}

const lastOf = async (events: EventStore, stream: string, permission: string, at: Date): Promise<ExpectedRevision | 'noted'> => {
  let last: ExpectedRevision = 'no_stream'
  for await (const event of events.readStream(stream, { direction: 'backwards', limit: LOOKED_AT })) {
    if (last === 'no_stream') last = event.revision
    if (event.type !== 'access.refused' || event.data.permission !== permission) continue
    if (at.getTime() - Date.parse(event.data.refusedAt) < MINUTE) return 'noted'
  }
  return last
}

const factOf = ({ caller, permission, route }: RefusedAccess, at: Date) => ({
  type: 'access.refused' as const,
  data: { principalId: caller.principalId, permission, route: route.slice(0, 256), refusedAt: at.toISOString() }
})

const contextOf = (ids: Ids, { caller, requestId }: RefusedAccess, at: Date) =>
  ({ commandId: ids.next(), at, actor: { type: 'principal' as const, id: caller.principalId }, requestId })
