// What the console shows of testers: rows of its read model, the accounts side's verdicts beside them, the timeline.
import { refuse } from '../../domain/codes.ts'
import type { Verdict } from '../../domain/tester/tester.ts'
import type { Personal } from '../../domain/personal.ts'
import type { AuditIndex, AuditPointer, Positions, TesterRow } from '../../queries.ts'
import type { TesterDeps } from './deps.ts'
import { withOpening, type ConsoleVerdict } from './verdict.ts'

export type OverviewDeps = Pick<TesterDeps, 'testers' | 'accounts' | 'vault'> & {
  audit: Pick<AuditIndex, 'search'>
  positions: Pick<Positions, 'waitFor'>
}

export interface TesterView {
  row: TesterRow
  /** null once the person was erased. */
  email: string | null
  name: string | null
  /** Absent while the link was not used: then there is nothing to judge. */
  verdict?: ConsoleVerdict
}

export interface TesterFilter {
  ghostState?: Verdict['state']
  addressHash?: string
  after?: bigint
}

/** Rows asked about in one question to the accounts side. */
const BATCH = 200
/** Questions of one request: a rare state in a long list is looked for over several requests. */
const MAX_BATCHES = 20
/** How long a page waits for the accounts' read model to know what the testers' knows, in ms; then it shows what there is. */
const ACCOUNTS_WAIT_MS = 500
/** Facts of a timeline: the newest. */
const MAX_TIMELINE = 500

/**
 * A page of testers by their arrival. With a state, rows are looked through until the page is full; it may then be
 * short, even empty, and still have a next one.
 */
export const listTesters = async (
  deps: OverviewDeps, filter: TesterFilter, limit: number
): Promise<{ views: TesterView[], next: bigint | null }> => {
  const { ghostState, ...selection } = filter
  if (ghostState === undefined) {
    const { rows, readTo } = await deps.testers.page(selection, limit + 1)
    const shown = rows.slice(0, limit)
    return { views: await viewsOf(deps, shown, readTo), next: rows.length > limit ? shown.at(-1)?.firstPosition ?? null : null }
  }
  const views: TesterView[] = []
  let after = selection.after
  for (let batch = 0; batch < MAX_BATCHES; batch++) {
    const { rows, readTo } = await deps.testers.page({ ...selection, ...(after !== undefined && { after }), usedLink: true }, BATCH)
    const judged = await judge(deps, rows, readTo)
    for (const [index, row] of rows.entries()) {
      after = row.firstPosition
      const verdict = judged[index]
      if (verdict?.state !== ghostState) continue
      views.push(await viewOf(deps, row, verdict))
      if (views.length === limit) return { views, next: after }
    }
    if (rows.length < BATCH) return { views, next: null }
  }
  return { views, next: after ?? null }
}

/** One tester with evidence and timeline. Refuses with `subject_not_found`. */
export const showTester = async (deps: OverviewDeps, testerId: string): Promise<TesterView & { timeline: AuditPointer[] }> => {
  const { row, readTo } = await deps.testers.one(testerId)
  if (row === undefined) return refuse('subject_not_found', 'There is no such tester.')
  const [[view], timeline] = await Promise.all([viewsOf(deps, [row], readTo), timelineOf(deps, testerId)])
  if (view === undefined) throw new Error('a row without a view')
  return { ...view, timeline }
}

/** Facts of the tester and of every account that one of the tester's links made, in the order of the log; read from its end, for the newest are what counts. */
const timelineOf = async ({ testers, audit }: OverviewDeps, testerId: string): Promise<AuditPointer[]> => {
  const streams = [`tester-${testerId}`, ...(await testers.userIds(testerId)).map((userId) => `user-${userId}`)]
  const found = await Promise.all(streams.map((stream) => audit.search({ stream }, { limit: MAX_TIMELINE, direction: 'backwards' })))
  return found.flat().sort((a, b) => a.position < b.position ? -1 : 1).slice(-MAX_TIMELINE)
}

const viewsOf = async (deps: OverviewDeps, rows: readonly TesterRow[], readTo: bigint): Promise<TesterView[]> => {
  const verdicts: Array<ConsoleVerdict | undefined> = []
  for (let start = 0; start < rows.length; start += BATCH) verdicts.push(...await judge(deps, rows.slice(start, start + BATCH), readTo))
  return Promise.all(rows.map((row, index) => viewOf(deps, row, verdicts[index])))
}

/**
 * One verdict a row; none for a link that was not used. A verdict is no newer than the older of the two read models, and the
 * accounts' is waited for: who has an account that is not in it yet would look like a ghost.
 */
const judge = async ({ accounts, positions }: OverviewDeps, rows: readonly TesterRow[], readTo: bigint): Promise<Array<ConsoleVerdict | undefined>> => {
  const openings = rows.map(({ testerId, userId, linkOpenedAt, linkOpenedRevision, linkOpenedType }) =>
    userId === null || linkOpenedAt === null || linkOpenedRevision === null || linkOpenedType === null
      ? undefined
      : { testerId, userId, linkOpenedAt, evidence: { stream: `tester-${testerId}`, revision: String(linkOpenedRevision), type: linkOpenedType, occurredAt: linkOpenedAt } })
  const asked = openings.filter((opening) => opening !== undefined)
  if (asked.length > 0) await positions.waitFor(['users'], readTo, ACCOUNTS_WAIT_MS)
  const answers = (await accounts.ghostCheck(asked.map(({ evidence: _, ...request }) => request))).values()
  return openings.map((opening) => {
    const verdict = opening === undefined ? undefined : answers.next().value
    if (opening === undefined || verdict === undefined) return undefined
    return withOpening({ ...verdict, evaluatedAtPosition: verdict.evaluatedAtPosition < readTo ? verdict.evaluatedAtPosition : readTo }, opening.evidence)
  })
}

const viewOf = async ({ vault }: OverviewDeps, row: TesterRow, verdict: ConsoleVerdict | undefined): Promise<TesterView> => {
  const open = async (sealed: Personal | null): Promise<string | null> => {
    if (sealed === null) return null
    const opened = await vault.open(sealed, `tester-${row.testerId}`)
    return opened.status === 'open' ? opened.text : null
  }
  const [email, name] = await Promise.all([open(row.email), open(row.name)])
  return { row, email, name, ...(verdict !== undefined && { verdict }) }
}
