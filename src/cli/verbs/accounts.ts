// `chancery accounts …`: list accounts, and read one with all that stands for or against it, now or as of a moment.
import { Option, type Command } from 'commander'
import { reasonFor } from '../ask.ts'
import type { Exit } from '../failures.ts'
import type { Terminal } from '../terminal.ts'
import { jsonOption, keyOption, minPositionOption, ticketOption, type Bind, type Family, type Json, type Listing, type Tools } from '../verb.ts'
import { ACCOUNTS, accountPath } from './account-path.ts'
import { listedColumns, listedRow, printAccount, printDeletion, type AccountPage, type Deletion, type ListedAccount } from './account-page.ts'
import { changeVerbs } from './account-changes.ts'
import { holdVerbs } from './account-holds.ts'

interface Opening { includeDeleted?: boolean, reason?: string, ticket?: string }
interface ListOptions extends Listing, Opening {
  email?: string
  userName?: string
  tester?: string
  sanction?: string
  limit?: string
  tariff?: string
}
interface AsOf extends Json, Opening { asOf?: string }
interface Fact { occurred_at: string, type: string, actor: { type: string, id: string }, reason_code?: string, position: string }

export const accountVerbs: Family = (program, bind) => {
  const accounts = program.command('accounts').description('Accounts: list, show, timeline, ensure, resolve, sanction, limit, tariff, hold, delete, deletion.')
  addressVerbs(accounts, bind)
  listVerb(accounts, bind)
  lookVerbs(accounts, bind)
  changeVerbs(accounts, bind)
  holdVerbs(accounts, bind)
}

const deletedOption = () => new Option('--include-deleted', 'deleted accounts as well: needs a reason, and opening their records is itself recorded')
const openingReason = () => new Option('--reason <text>', 'why a deleted record is opened; kept sealed in the log')
const asOfOption = () => new Option('--as-of <moment>', 'an ISO time or a position in the log: answered as it was known then')

/** The query of a read that may open deleted records. */
const opening = async (options: Opening, { surroundings }: Tools): Promise<Record<string, string>> => options.includeDeleted === true
  ? {
      include_deleted: 'true',
      reason: await reasonFor(options.reason, 'opening the record of a deleted account', surroundings),
      ...options.ticket !== undefined && { ticket: options.ticket }
    }
  : {}

const addressVerbs = (accounts: Command, bind: Bind): void => {
  const ensure = accounts.command('ensure').argument('<email>')
    .description('Makes the account of an address if there is none, as the auth service does at a first sign-in. Exit code 5 if the address is blocked.')
    .addOption(keyOption()).addOption(jsonOption())
  bind(ensure, async ({ client, terminal }, email: string, options: Json & { key?: string }) => {
    const { body } = await client.request<Stands>('POST', '/api/v1/auth/ensure-by-email', { key: options.key, body: { email } })
    return tellStanding(terminal, body, options)
  })
  const resolve = accounts.command('resolve').argument('<email>')
    .description('Says what an address stands for: an account, none yet, or none ever. Exit code 5 if it is blocked.')
    .addOption(jsonOption())
  bind(resolve, async ({ client, terminal }, email: string, options: Json) => {
    const { body } = await client.request<Stands>('POST', '/api/v1/auth/resolve-by-email', { body: { email } })
    return tellStanding(terminal, body, options)
  })
}

interface Stands { outcome: string, user_id?: string, reason_code?: string }

const tellStanding = (terminal: Terminal, body: Stands, { json = false }: Json): Exit => {
  if (json) terminal.json(body)
  else terminal.line(`${body.outcome}: ${body.user_id === undefined ? body.reason_code ?? 'no account' : `account ${body.user_id}`}`)
  return body.outcome === 'blocked' ? 'findings' : 'done'
}

const listVerb = (accounts: Command, bind: Bind): void => {
  const list = accounts.command('list')
    .description('Lists accounts, the newest first.')
    .option('--email <address>', 'the exact address')
    .option('--user-name <name>', 'the exact user name')
    .option('--tester <tester>', 'that this tester became')
    .option('--sanction <code>', 'under this sanction now')
    .option('--limit <code[=value]>', 'with a limit of its own, or exactly this one')
    .option('--tariff <code>', 'on this tariff now')
    .addOption(deletedOption()).addOption(openingReason()).addOption(ticketOption()).addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async (tools, options: ListOptions) => {
    const { client, terminal } = tools
    const [limitCode, limitValue] = options.limit?.split('=') ?? []
    const query = {
      email: options.email, user_name: options.userName, tester_id: options.tester, sanction: options.sanction, tariff: options.tariff,
      limit_code: limitCode, limit_value: limitValue, ...await opening(options, tools)
    }
    const rows: string[][] = []
    for await (const account of client.pages<ListedAccount>(ACCOUNTS, query, options.minPosition)) {
      if (options.json === true) terminal.json(account)
      else rows.push(listedRow(account))
    }
    if (options.json !== true) terminal.table(listedColumns, rows)
    return 'done'
  })
}

const lookVerbs = (accounts: Command, bind: Bind): void => {
  const show = accounts.command('show').argument('<user>')
    .description('Shows one account: what it may do and why not, limits, tariff, deletion.')
    .addOption(asOfOption()).addOption(deletedOption()).addOption(openingReason()).addOption(ticketOption()).addOption(jsonOption())
  bind(show, async (tools, user: string, options: AsOf) => {
    const { client, terminal } = tools
    const { body } = await client.request<AccountPage>('GET', accountPath(user), { query: { as_of: options.asOf, ...await opening(options, tools) } })
    if (options.json === true) terminal.json(body)
    else printAccount(terminal, body)
    return 'done'
  })

  const timeline = accounts.command('timeline').argument('<user>')
    .description('Prints the facts of one account, the oldest first.')
    .addOption(asOfOption()).addOption(deletedOption()).addOption(openingReason()).addOption(ticketOption()).addOption(jsonOption())
  bind(timeline, async (tools, user: string, options: AsOf) => {
    const { client, terminal } = tools
    const rows: string[][] = []
    const query = { direction: 'forwards', as_of: options.asOf, ...await opening(options, tools) }
    for await (const fact of client.pages<Fact>(accountPath(user, 'timeline'), query)) {
      if (options.json === true) terminal.json(fact)
      else rows.push([fact.occurred_at, fact.type, fact.actor.type === 'principal' ? fact.actor.id : fact.actor.type, fact.reason_code ?? '-', fact.position])
    }
    if (options.json !== true) terminal.table(['WHEN', 'WHAT', 'WHO', 'REASON CODE', 'POSITION'], rows)
    return 'done'
  })

  const deletion = accounts.command('deletion').argument('<user>')
    .description('Shows how far a block or a deletion has come downstream: who has finished, who waits, who is overdue. Exit code 5 if somebody is overdue.')
    .addOption(minPositionOption()).addOption(jsonOption())
  bind(deletion, async ({ client, terminal }, user: string, options: Listing) => {
    const { body } = await client.request<Deletion>('GET', accountPath(user, 'deletion'), { minPosition: options.minPosition })
    if (options.json === true) terminal.json(body)
    else printDeletion(terminal, body)
    return body.entries.some(({ consumers }) => consumers.some(({ state }) => state === 'overdue')) ? 'findings' : 'done'
  })
}
