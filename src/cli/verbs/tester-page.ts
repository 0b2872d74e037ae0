// One tester as a person reads it: the state, what it rests on, and what happened, oldest first.
import type { Terminal } from '../terminal.ts'

export interface TesterPage {
  tester_id: string
  email: string | null
  name: string | null
  origin: string
  invited_at: string
  link: { status: string, expires_at: string | null, opened_at: string | null } | null
  mail: string | null
  ghost_state: string | null
  becomes_ghost_at: string | null
  open_reset_id: string | null
  completed_resets: number
  verdict: { rule: string, threshold_ms: number, evidence: Array<{ type: string, occurred_at: string }>, evaluated_at_position: string } | null
  timeline: Array<{ occurred_at: string, type: string, stream: string, actor: { type: string, id: string } }>
}

export const printTester = (terminal: Terminal, tester: TesterPage): void => {
  const { link, verdict } = tester
  terminal.table(['tester', tester.tester_id], [
    ['e-mail', tester.email ?? '(erased)'],
    ...tester.name === null ? [] : [['name', tester.name]],
    [tester.origin, tester.invited_at],
    ['link', link === null ? 'none' : link.opened_at === null ? `${link.status}, good until ${link.expires_at ?? 'never'}` : `${link.status}, opened ${link.opened_at}`],
    ['last mail', tester.mail ?? 'none'],
    ['resets', `${tester.completed_resets} completed${tester.open_reset_id === null ? '' : ', one under way'}`],
    ['ghost state', tester.ghost_state ?? (link?.status === 'consumed' ? 'none: the account is deleted or more than a shell' : 'none: the link was not used')],
    ...tester.becomes_ghost_at === null ? [] : [['a ghost from', tester.becomes_ghost_at]],
    ...verdict === null ? [] : [['by the rule', `${verdict.rule}, ${verdict.threshold_ms / 60_000} minutes, at position ${verdict.evaluated_at_position}`]],
    ...verdict === null ? [] : verdict.evidence.map(({ type, occurred_at: at }) => ['evidence', `${at}  ${type}`])
  ])
  terminal.section(['WHEN', 'WHAT', 'WHERE', 'WHO'], tester.timeline.map(({ occurred_at: at, type, stream, actor }) =>
    [at, type, stream, actor.type === 'principal' ? actor.id : actor.type]))
}
