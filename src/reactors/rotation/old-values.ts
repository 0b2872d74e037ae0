// Destroys values that are out of use once their grace time is over.
import type { RotationDeps } from '../../commands/rotations/deps.ts'
import { credentialAggregate } from '../../domain/credential/credential.ts'
import type { Reactor } from '../reactor.ts'
import { nameOf } from './turn.ts'

/** Looked at again so often at least: no timer runs for days. */
const LONGEST_MS = 3_600_000

/** Destroying twice changes nothing, so the fact may come after it. */
export const oldValuesReactor = ({ aggregates, ids, clock, values }: Pick<RotationDeps, 'aggregates' | 'ids' | 'clock' | 'values'>): Reactor => ({
  name: 'old-values',
  intent: 'credential.value_superseded',
  carryOut: async (intent) => {
    const { id: valueId } = intent
    const name = nameOf(intent)
    const { state } = await aggregates.current(credentialAggregate, name)
    const value = state.status === 'known' ? state.superseded.get(valueId) : undefined
    if (value === undefined) return undefined
    const at = clock.now()
    const left = Date.parse(value.destroyAfter) - at.getTime()
    if (left > 0) return Math.min(left, LONGEST_MS)
    await values.destroy(valueId)
    const commandId = ids.derive('value-destroyed', name, valueId)
    await aggregates.execute({
      aggregate: credentialAggregate, id: name,
      context: { commandId, at, actor: { type: 'system', id: 'old-values' }, requestId: commandId, correlationId: intent.correlationId, causationId: intent.eventId },
      decide: (credential) => credential.status === 'known' && credential.superseded.has(valueId)
        ? [{ type: 'credential.value_destroyed', data: { credential: name, valueId, destroyedAt: at.toISOString() } }]
        : []
    })
    return undefined
  }
})
