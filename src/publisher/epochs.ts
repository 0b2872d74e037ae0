// Which epochs the log knows, read from their own short stream.
import { EPOCHS, epochsAggregate, type Epochs } from '../domain/lifecycle/epochs.ts'
import { streamName, type RecordedOf } from '../domain/catalogue.ts'
import type { EventStore } from '../ports.ts'

/** Throws LogUnavailable. */
export const readEpochs = async (events: Pick<EventStore, 'readStream'>): Promise<Epochs> => {
  let epochs = epochsAggregate.initial
  for await (const event of events.readStream(streamName('lifecycle', EPOCHS))) epochs = epochsAggregate.evolve(epochs, event as RecordedOf<'lifecycle'>)
  return epochs
}
