// Facts about access itself: who was refused for lack of a right (decision 8).
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { InstantField, Uuid, closed } from '../fields.ts'

export const refusalEvents = {
  'access.refused': defineEvent(1, 'A known principal was refused for lack of a right; at most one per right and minute.', Type.Object({
    principalId: Uuid(), permission: Type.String({ maxLength: 64 }), route: Type.String({ maxLength: 256 }), refusedAt: InstantField()
  }, closed))
}
