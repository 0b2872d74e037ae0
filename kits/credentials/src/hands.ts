// Takes deliveries, one after the other for each credential: the newest counts, whatever order they arrive in.
import type { Delivered } from './delivery.ts'
import { memoryStore, type Holding } from './holding.ts'
import type { CredentialConsumerOptions } from './types.ts'

export type Taken = 'taken' | 'known' | 'superseded'

export const createHands = ({ credentials, store = memoryStore(), use }: Pick<CredentialConsumerOptions, 'credentials' | 'store' | 'use'>) => {
  const inUse = new Map<string, Holding>()
  const unsaved = new Set<string>()
  const queues = new Map<string, Promise<unknown>>()

  const inTurn = <T>(credential: string, work: () => Promise<T>): Promise<T> => {
    const turn = (queues.get(credential) ?? Promise.resolve()).then(work, work)
    queues.set(credential, turn.catch(() => {}))
    return turn
  }

  return {
    /** Credential → the delivery that Chancery knows to be in use. */
    acknowledged: new Map<string, number>(),
    holding: (credential: string): Holding | undefined => inUse.get(credential),

    /** Goes over to what was kept. */
    takeUp: async (): Promise<void> => {
      await Promise.all(credentials.map((credential) => inTurn(credential, async () => {
        const kept = await store.load(credential)
        if (kept === undefined) return
        await use({ credential, ...kept })
        inUse.set(credential, kept)
      })))
    },

    /** In use, and kept, when it resolves. A smaller delivery_seq than the one held is `superseded`; the same again is `known`. */
    take: ({ credential, value, valueId, deliverySeq }: Delivered): Promise<Taken> => inTurn(credential, async () => {
      const held = inUse.get(credential)
      if (held !== undefined && deliverySeq < held.deliverySeq) return 'superseded'
      const holding = { value, valueId, deliverySeq }
      const known = held?.deliverySeq === deliverySeq && held.valueId === valueId
      if (known && !unsaved.has(credential)) return 'known'
      if (!known) await use({ credential, ...holding })
      // In use before it is kept: if keeping fails, what is proved is still what is used, and the sender tries again.
      inUse.set(credential, holding)
      unsaved.add(credential)
      await store.save(credential, holding)
      unsaved.delete(credential)
      return 'taken'
    })
  }
}

export type Hands = ReturnType<typeof createHands>
