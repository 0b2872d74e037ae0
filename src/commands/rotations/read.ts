// Reads a job from its credential's stream: the open one, the last one, or any that ended.
import type { RecordedOf } from '../../domain/catalogue.ts'
import { credentialAggregate } from '../../domain/credential/credential.ts'
import type { Credential } from '../../domain/credential/state.ts'
import type { JobView } from '../../domain/rotation/job.ts'
import { jobView } from '../../domain/rotation/view.ts'
import type { RotationDeps } from './deps.ts'

/** The job as it is, or as it was when it ended; undefined if the credential has none of this id. */
export const readJob = async (
  { aggregates, events, clock, rules }: Pick<RotationDeps, 'aggregates' | 'events' | 'clock' | 'rules'>,
  { credential: name, rotationId }: { credential: string, rotationId: string }
): Promise<{ view: JobView, revision: bigint, position: bigint } | undefined> => {
  const { state, revision, position } = await aggregates.current(credentialAggregate, name)
  const view = jobView(state, rotationId, clock.now(), rules)
  if (view !== undefined && revision !== 'no_stream') return { view, revision, position }
  if (state.status === 'absent' || !state.past.has(rotationId)) return undefined
  let then: Credential = credentialAggregate.initial
  for await (const event of events.readStream(`credential-${name}`)) {
    then = credentialAggregate.evolve(then, event as RecordedOf<'credential'>)
    const { type, data } = event
    if ((type !== 'rotation.done' && type !== 'rotation.aborted') || data.rotationId !== rotationId) continue
    const ended = jobView(then, rotationId, clock.now(), rules)
    return ended && { view: ended, revision: event.revision, position: event.position }
  }
  return undefined
}
