// What operators ask of the stream; also in a process that does not publish itself.
import type { LifecycleOperations, LifecycleStream } from '../lifecycle-stream.ts'
import { locate } from './place.ts'
import type { Publisher } from './publisher.ts'
import type { PublisherDeps } from './settings.ts'
import { createVerifier } from './verify.ts'

type Deps = Pick<PublisherDeps, 'events' | 'sign' | 'clock' | 'retentionMs' | 'consumers'>

/** A process that does not publish cannot know what is under way: this long, anything may be. */
const LATE_MS = 60_000

/** @param publisher of this process, if it has one: its verification then also sets its alarms */
export const lifecycleOperations = (deps: Deps, stream: LifecycleStream, publisher?: Publisher): LifecycleOperations => ({
  status: () => publisher?.status(),
  report: async () => {
    const [state, groups, acknowledged, consumers] = await Promise.all([stream.state(), stream.groups(), stream.acknowledged(), deps.consumers()])
    const place = await locate(deps.events, state, () => Promise.resolve({ previous: 0n, previousId: undefined }), false)
    return {
      state,
      groups,
      strayEntryId: place.kind === 'foreign' ? place.entryId : undefined,
      consumers: consumers.map(({ name, group }) => ({ name, group, acknowledged: acknowledged.get(name) }))
    }
  },
  verify: () => publisher?.verify() ?? createVerifier({
    ...deps,
    overdue: () => {
      const before = deps.clock.now().getTime() - LATE_MS
      return ({ created }) => created.getTime() < before
    }
  }, stream, new AbortController().signal).verify(true)
})
