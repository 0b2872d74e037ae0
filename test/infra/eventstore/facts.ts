// Small valid facts for the adapter's tests, and a vault that only pretends.
import { uuidIds } from '../../../infra/ids.ts'
import type { EventMetadata } from '../../../src/domain/event.ts'
import type { NewEvent, Vault } from '../../../src/ports.ts'

export const at = '2026-01-02T03:04:05.678Z'

export const metadata = (extra: Partial<EventMetadata> = {}): EventMetadata => ({
  $correlationId: 'c', $causationId: 'c', commandId: 'c', schemaVersion: 1, occurredAt: at, actor: { type: 'system', id: 'test' }, requestId: 'r', ...extra
})

/** One fact of `principal-{id}`; `role` tells it from others. */
export const granted = (principalId: string, role: string): NewEvent =>
  ({ type: 'principal.role_granted', data: { principalId, role, grantedAt: at }, id: uuidIds.next(), metadata: metadata() })

export const freshStream = () => {
  const id = uuidIds.next()
  return { id, stream: `principal-${id}` }
}

export const noVault: Vault = {
  seal: () => Promise.reject(new Error('this test seals nothing')),
  open: () => Promise.reject(new Error('this test opens nothing'))
}

/** Collects a read. */
export const all = async <T>(items: AsyncIterable<T>): Promise<T[]> => {
  const found: T[] = []
  for await (const item of items) found.push(item)
  return found
}
