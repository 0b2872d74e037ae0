// How a tester's life ends, as its stream tells it: deletion, legal holds, erasure.
import type { RecordedOf } from '../catalogue.ts'
import type { Kept } from '../account/legal-hold.ts'

export interface TesterLife extends Kept {
  /** Accounts that the erasure's intent names: leftovers of the tester's links. */
  leftovers?: readonly string[]
}

export const newLife: TesterLife = { life: { stage: 'live' }, holds: [] }

type LifeType = 'tester.deleted' | 'tester.legal_hold_placed' | 'tester.legal_hold_lifted' | 'tester.erasure_started' | 'tester.purged'
export type LifeEvent = Extract<RecordedOf<'tester'>, { type: LifeType }>

/** Folds one fact. Never throws. */
export const evolveLife = <T extends TesterLife>(tester: T, event: LifeEvent): T => {
  const { life, holds } = tester
  switch (event.type) {
    case 'tester.deleted': {
      const { deletedAt, purgeAfter } = event.data
      return { ...tester, life: { stage: 'deleted', deletedAt, purgeAfter } }
    }
    case 'tester.legal_hold_placed': {
      const { holdId, matter, placedAt, until } = event.data
      return { ...tester, holds: [...holds, { holdId, matter, placedAt, ...until !== undefined && { until } }] }
    }
    case 'tester.legal_hold_lifted': return { ...tester, holds: holds.filter(({ holdId }) => holdId !== event.data.holdId) }
    case 'tester.erasure_started': {
      const { erasureId, userIds } = event.data
      return life.stage === 'live' ? tester : { ...tester, leftovers: userIds, life: { ...life, stage: 'erasing', erasureId } }
    }
    case 'tester.purged': {
      const { erasureId, purgedAt } = event.data
      return life.stage === 'live' ? tester : { ...tester, life: { ...life, stage: 'purged', erasureId, purgedAt } }
    }
  }
}
