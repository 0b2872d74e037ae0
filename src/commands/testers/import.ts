// Imports the testers of an existing beta: all rows are checked, then appended many at a time, each row in its order.
import { refuse, Refusal } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { reserveTesterEmail, testerEmailAggregate, type Reservation } from '../../domain/reservation/reservation.ts'
import { importTester } from '../../domain/tester/links.ts'
import { testerAggregate } from '../../domain/tester/tester.ts'
import type { EventStore } from '../../ports.ts'
import type { Positions } from '../../queries.ts'
import { ADDRESS_RULE } from '../address.ts'
import type { CommandContext } from '../context.ts'
import type { TesterDeps } from './deps.ts'
import { checkRows, type CheckedRow, type ImportRow, type RowError } from './import-check.ts'

/** Rows appended at the same time. */
const IN_FLIGHT = 64
/** Errors that an answer lists. */
const MAX_ERRORS = 1000

/** An account to be taken over, as the console hands it to the accounts side. */
export interface AccountRow {
  testerId: string
  userId: string
  address: string
  addressHash: string
  createdAt: string
  passkeyPlaceholders: number
  likelyNew: boolean
}

export interface ImportDeps extends Pick<TesterDeps, 'aggregates' | 'ids' | 'keys' | 'testers'> {
  log: Pick<EventStore, 'last'>
  positions: Positions
  /** The accounts side's half; absent where another service has the accounts. */
  importAccount?: (row: AccountRow, context: CommandContext) => Promise<bigint>
}

export interface ImportReport {
  rows: number
  imported: number
  alreadyImported: number
  /** Rows whose passkeys became placeholders: healthy, and unable to sign in. */
  placeholders: number
  position: bigint
}

/**
 * Refuses with `import_invalid` (fields: `errors` by line, nothing imported), `read_models_unavailable`,
 * `projection_behind`, `accounts_unavailable`. Ids derive from the address hash, so an import that was interrupted
 * goes on when the same rows are sent again, and one that was done imports nothing twice (decision 41).
 */
export const importTesters = async (deps: ImportDeps, rows: readonly ImportRow[], context: CommandContext): Promise<ImportReport> => {
  const { checked, errors } = checkRows(rows, deps.keys, context.at)
  const head = await caughtUp(deps)
  const holders = new Map((await deps.testers.holders(checked.map(({ address }) => address.hash))).map((holder) => [holder.addressHash, holder]))
  for (const { line, address } of checked) {
    const holder = holders.get(address.hash)
    if (holder?.deleted === true) errors.push({ line, column: 'email', message: 'a tester with this address was here and was deleted' })
    else if (holder?.origin === 'invited') errors.push({ line, column: 'email', message: 'a tester with this address was invited here' })
  }
  if (errors.length > 0) return refuseRows(errors, 'Nothing was imported. Correct the rows named in errors and send the file again.')
  if (deps.importAccount === undefined && checked.some(({ createdAt }) => createdAt !== undefined)) {
    return refuse('accounts_unavailable', 'Another service has the accounts. Send the import to that service.')
  }

  const report: ImportReport = { rows: rows.length, imported: 0, alreadyImported: 0, placeholders: 0, position: head }
  const late: RowError[] = []
  await eachOf(checked, IN_FLIGHT, async (row) => {
    try {
      const { recorded, position } = await importRow(deps, row, !holders.has(row.address.hash), context)
      report[recorded ? 'imported' : 'alreadyImported']++
      if (row.passkeys > 0) report.placeholders++
      if (position > report.position) report.position = position
    } catch (error) {
      if (!(error instanceof Refusal) || error.code !== 'tester_exists') throw error
      late.push({ line: row.line, column: 'email', message: 'a tester with this address was invited here meanwhile' })
    }
  })
  return late.length > 0 ? refuseRows(late, 'These rows were overtaken and not imported; all others were.') : report
}

const refuseRows = (errors: RowError[], detail: string): never => {
  const sorted = errors.sort((a, b) => a.line - b.line)
  return refuse('import_invalid', detail, { errors: sorted.slice(0, MAX_ERRORS), error_count: errors.length })
}

/** Clashes are looked up in the read model, so it has to know everything that was appended before the call. */
const caughtUp = async ({ log, positions }: ImportDeps): Promise<bigint> => {
  const head = (await log.last())?.position ?? 0n
  const behind = await positions.waitFor(['testers'], head)
  if (behind !== undefined) return refuse('projection_behind', 'The list of testers is not up to date yet. Send the import again in a moment.')
  return head
}

const importRow = async (deps: ImportDeps, row: CheckedRow, likelyNew: boolean, context: CommandContext): Promise<{ recorded: boolean, position: bigint }> => {
  const { aggregates, ids, importAccount } = deps
  const { address, invitedAt, consumedAt, createdAt, passkeys } = row
  const own = ids.derive('tester', 'import', address.hash)
  const rowContext = contextOf(context, ids.derive('import', context.commandId, address.hash, invitedAt, consumedAt ?? '', createdAt ?? '', String(passkeys)))
  const reservation = { testerId: own, ruleVersion: ADDRESS_RULE, at: context.at.toISOString() }
  const reserved = await aggregates.execute({
    aggregate: testerEmailAggregate, id: address.hash, context: rowContext, likelyNew, decide: (held: Reservation) => reserveTesterEmail(held, reservation)
  })
  const testerId = reserved.state.status === 'held' ? reserved.state.by : own
  const tokenId = ids.derive('token', 'import', address.hash)
  const userId = ids.derive('user', tokenId)
  const tester = await aggregates.execute({
    aggregate: testerAggregate,
    id: testerId,
    context: rowContext,
    likelyNew,
    decide: (state) => importTester(state, {
      testerId, email: new Clear(address.text, `tester-${testerId}`), addressHash: address.hash, invitedAt, tokenId, userId,
      ...(consumedAt !== undefined && { consumedAt })
    })
  })
  const recorded = tester.events.length > 0
  if (createdAt === undefined || importAccount === undefined) return { recorded, position: tester.position }
  const account = { testerId, userId, address: address.text, addressHash: address.hash, createdAt, passkeyPlaceholders: passkeys, likelyNew }
  return { recorded, position: await importAccount(account, rowContext) }
}

/**
 * Who asked stands in every fact; where they sat, sealed anew in each of 50,000, would double the import's cost. The
 * fingerprint is of the whole file, and a row may come again in another one: its own command id says what it is.
 */
const contextOf = ({ ip: _, userAgent: __, fingerprint: ___, ...context }: CommandContext, commandId: string): CommandContext =>
  ({ ...context, commandId, correlationId: context.correlationId ?? context.commandId })

/** Runs `work` on every item, at most `limit` at a time; the first failure stops those not yet begun. */
const eachOf = async <T>(items: readonly T[], limit: number, work: (item: T) => Promise<void>): Promise<void> => {
  const rest = items.values()
  let failed = false
  await Promise.all(Array.from({ length: limit }, async () => {
    for (const item of rest) {
      if (failed) return
      await work(item).catch((error: unknown) => { failed = true; throw error })
    }
  }))
}
