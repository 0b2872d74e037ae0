// Which epochs the log knows, read from their own short stream, and what a publisher does about one that is under way.
import { EPOCHS, epochsAggregate, type Epochs } from '../domain/lifecycle/epochs.ts'
import { streamName, type RecordedOf } from '../domain/catalogue.ts'
import type { LifecycleStream } from '../lifecycle-stream.ts'
import type { EventStore } from '../ports.ts'
import type { PublisherDeps } from './settings.ts'

const readEpochs = async (events: Pick<EventStore, 'readStream'>): Promise<Epochs> => {
  let epochs = epochsAggregate.initial
  for await (const event of events.readStream(streamName('lifecycle', EPOCHS))) epochs = epochsAggregate.evolve(epochs, event as RecordedOf<'lifecycle'>)
  return epochs
}

/**
 * Carries out an epoch that the log orders; the stream is empty then, and filled like any empty one. The log is asked once
 * more after Redis, and Redis compares: a publisher that sleeps in between, while others finish this epoch and begin the
 * next, finds that its order is old. Throws LogUnavailable, StreamUnavailable.
 */
export const carryOutEpoch = async ({ events, failpoint = () => {} }: Pick<PublisherDeps, 'events' | 'failpoint'>, stream: LifecycleStream): Promise<Epochs> => {
  let epochs = await readEpochs(events)
  while (epochs.open !== undefined) {
    const { epoch } = await stream.state()
    epochs = await readEpochs(events)
    if (epochs.open === undefined || epochs.open.epochId === epoch) break
    if (!await stream.beginAnew({ ...epochs.open, after: epoch })) continue
    failpoint('publisher.after_epoch')
    break
  }
  return epochs
}
