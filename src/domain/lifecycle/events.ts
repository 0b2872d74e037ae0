// Facts of the lifecycle stream itself (`lifecycle-epochs`): when it was begun anew because somebody else wrote into it.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Count, InstantField, Position, Uuid, closed } from '../fields.ts'

const Name = (maxLength = 64) => Type.String({ minLength: 1, maxLength })

export const lifecycleEvents = {
  'lifecycle.epoch_begun': defineEvent(1, 'The Redis stream is about to be renamed and published anew: the intent (decision 26).', Type.Object({
    epochId: Uuid(), begunAt: InstantField(), stream: Name(256), renamedTo: Name(300), strayEntryId: Type.Optional(Name()),
    groups: Type.Array(Type.Object({ consumer: Name(), group: Name(), position: Position() }, closed), { maxItems: 1000 })
  }, closed)),
  'lifecycle.epoch_completed': defineEvent(1, 'The new Redis stream holds the retained window, and every group is at its place.', Type.Object({
    epochId: Uuid(), completedAt: InstantField(), entries: Count(1_000_000_000)
  }, closed))
}
