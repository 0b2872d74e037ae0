// One account as a person reads it: who, what it may do and why not, what limits hold, and how far its life has come.
import type { Terminal } from '../terminal.ts'

export interface ListedAccount {
  user_id: string
  email: string | null
  user_name: string | null
  display_name: string | null
  tariff: { code: string, since: string, until: string | null } | null
  sanctions: Array<{ sanction_id: string, code: string, scope: string, state: string, starts_at: string, expires_at: string | null }>
  created_at: string
  deleted_at: string | null
  erased: boolean
}

export interface AccountPage extends ListedAccount {
  stage: string
  purge_after: string | null
  purged_at: string | null
  eligibility: Record<string, { allowed: boolean, because?: { code: string, scope: string, sanction_id: string } }>
  limits: Record<string, { value: number, set_at: string | null }>
  legal_holds: number
  as_of: { position: string, at: string }
}

const person = (value: string | null, erased: boolean): string => value ?? (erased ? '(erased)' : '-')

export const listedRow = ({ user_id: id, email, user_name: name, tariff, sanctions, deleted_at: deleted, erased }: ListedAccount): string[] =>
  [id, deleted === null ? sanctions.map(({ code }) => code).join(' ') || 'active' : `deleted ${deleted}`, tariff?.code ?? '-', person(name, erased), person(email, erased)]

export const listedColumns = ['USER', 'STATE', 'TARIFF', 'USER NAME', 'E-MAIL']

export const printAccount = (terminal: Terminal, account: AccountPage): void => {
  const { erased, tariff, eligibility, limits, as_of: asOf } = account
  const when = (name: string, at: string | null) => at === null ? [] : [[name, at]]
  terminal.table(['account', account.user_id], [
    ['e-mail', person(account.email, erased)],
    ['user name', person(account.user_name, erased)],
    ['display name', person(account.display_name, erased)],
    ['created', account.created_at],
    ['tariff', tariff === null ? '-' : `${tariff.code} since ${tariff.since}${tariff.until === null ? '' : ` until ${tariff.until}`}`],
    ['stage', account.stage],
    ...when('deleted', account.deleted_at),
    ...when('erased from', account.purged_at === null ? account.purge_after : null),
    ...when('erased', account.purged_at),
    ...account.legal_holds === 0 ? [] : [['legal holds', String(account.legal_holds)]],
    ['as of', `position ${asOf.position}, ${asOf.at}`]
  ])
  terminal.section(['SANCTION', 'SCOPE', 'STATE', 'FROM', 'UNTIL', 'ID'], account.sanctions.map((sanction) =>
    [sanction.code, sanction.scope, sanction.state, sanction.starts_at, sanction.expires_at ?? 'it is removed', sanction.sanction_id]))
  terminal.section(['MAY', 'ANSWER', 'BECAUSE OF'], Object.entries(eligibility).map(([marker, { allowed, because }]) =>
    [marker, allowed ? 'yes' : 'no', because !== undefined ? `${because.code} on ${because.scope}` : allowed ? '' : 'the deletion']))
  terminal.section(['LIMIT', 'VALUE', 'SET'], Object.entries(limits).map(([code, { value, set_at: at }]) => [code, String(value), at ?? 'default']))
}

export interface Deletion {
  user_id: string
  stage: string
  deleted_at: string | null
  purge_after: string | null
  holds: Array<{ hold_id: string, matter: string, until: string | null }>
  entries: Array<{
    event_type: string
    event_position: string
    occurred_at: string
    consumers: Array<{ consumer: string, state: string, outcome?: string, items?: number, acknowledged_at?: string, due_at?: string }>
  }>
  settled: boolean
}

export const printDeletion = (terminal: Terminal, { user_id: user, stage, deleted_at: deleted, purge_after: purge, holds, entries, settled }: Deletion): void => {
  terminal.table(['account', user], [
    ['stage', stage],
    ...deleted === null ? [] : [['deleted', deleted]],
    ...purge === null ? [] : [['erased from', purge]],
    ...holds.map(({ matter, until }) => ['held for', `${matter}${until === null ? '' : ` until ${until}`}`]),
    ['downstream', settled ? 'nobody is waited for' : 'somebody is waited for']
  ])
  terminal.section(['ENTRY', 'WHEN', 'CONSUMER', 'STATE', 'OUTCOME', 'ITEMS', 'AT'], entries.flatMap(({ event_type: type, occurred_at: at, consumers }) =>
    (consumers.length === 0 ? [undefined] : consumers).map((one) =>
      [type, at, one?.consumer ?? '-', one?.state ?? '-', one?.outcome ?? '-', one?.items === undefined ? '-' : String(one.items), one?.acknowledged_at ?? one?.due_at ?? '-'])))
}
