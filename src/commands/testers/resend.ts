// Mails a tester's unused link again.
import { resend } from '../../domain/tester/links.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import type { CommandContext } from '../context.ts'
import type { TesterDeps } from './deps.ts'
import { mailedLink, mintingFor, type MailedLink } from './link.ts'

/** Refuses with `token_used`, `subject_not_found`; with `ifMatch`, `precondition_failed`. */
export const resendLink = async (
  deps: Pick<TesterDeps, 'aggregates' | 'ids' | 'linkTtlMs'>, command: { testerId: string, ifMatch?: bigint }, context: CommandContext
): Promise<MailedLink> => mailedLink(await deps.aggregates.execute({
  aggregate: testerAggregate,
  id: command.testerId,
  context,
  ...(command.ifMatch !== undefined && { ifMatch: command.ifMatch }),
  decide: (tester) => resend(tester, mintingFor(deps.ids, deps.ids.derive('resend', command.testerId, context.commandId), context.at, deps.linkTtlMs))
}))
