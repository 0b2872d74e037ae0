// Opens the value of a credential as the connection of another one, after the fact that says so (decision 14).
import { credentialAggregate, openJob } from '../../domain/credential/credential.ts'
import { lend, lendable } from '../../domain/credential/lend.ts'
import type { OpenedConnection } from '../../rotation-ports.ts'
import type { RotationDeps } from './deps.ts'

/**
 * For one call to `address` by the credential `for`.
 * @returns undefined if there is no value, `elsewhere` if it is for other addresses; nothing was opened then
 * @throws as commands do: without the fact nothing is opened
 */
export const lendValue = async (
  { aggregates, ids, clock, values }: Pick<RotationDeps, 'aggregates' | 'ids' | 'clock' | 'values'>, name: string, { for: to, address }: { for: string, address: string }
): Promise<OpenedConnection> => {
  const job = openJob((await aggregates.cached(credentialAggregate, to)).state)
  const rotation = job === undefined ? {} : { rotation: { rotationId: job.rotationId, transition: job.transition } }
  const commandId = ids.next()
  const at = clock.now()
  const { state } = await aggregates.execute({
    aggregate: credentialAggregate, id: name, context: { commandId, at, actor: { type: 'system', id: 'rotation' }, requestId: commandId },
    decide: (credential) => lend(credential, { to, address, ...rotation }, at)
  })
  const lent = lendable(state, address)
  return lent === undefined || lent === 'elsewhere' ? lent : values.open(lent.valueId)
}
