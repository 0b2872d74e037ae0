// Deletes a tester softly: links revoked, mails withheld, the address kept reserved, the erasure to come.
import { deleteTester as decide } from '../../domain/tester/erasure.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import type { Aggregates } from '../execute.ts'

export interface TesterDeletionDeps {
  aggregates: Aggregates
  /** How long a deleted record stays, in ms. */
  purgeAfterMs: number
}

export interface DeletedTester {
  testerId: string
  deletedAt: string
  purgeAfter: string
  position: bigint
  revision: ExpectedRevision
}

/** Refuses with `subject_not_found`, `conflict`; with `ifMatch`, `precondition_failed`. The same command id gets the first answer. */
export const deleteTester = async (
  { aggregates, purgeAfterMs }: TesterDeletionDeps, { testerId, ifMatch }: { testerId: string, ifMatch?: bigint | undefined }, context: CommandContext
): Promise<DeletedTester> => {
  const { events, position, revision } = await aggregates.execute({
    aggregate: testerAggregate, id: testerId, context, ...ifMatch !== undefined && { ifMatch },
    decide: (tester) => decide(tester, { at: context.at, coolingMs: purgeAfterMs })
  })
  const deleted = events.find((event) => event.type === 'tester.deleted')
  if (deleted === undefined) throw new Error('a deletion without its fact')
  const { deletedAt, purgeAfter } = deleted.data
  return { testerId, deletedAt, purgeAfter, position, revision }
}
