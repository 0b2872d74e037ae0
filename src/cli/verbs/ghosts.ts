// `chancery ghosts …`: the testers who are stuck, and resetting many of them one after the other.
import { InvalidArgumentError } from 'commander'
import { Failure, ProblemFailure } from '../failures.ts'
import { jsonOption, reasonOption, ticketOption, type Family, type Json, type Tools } from '../verb.ts'
import type { ResetAnswer, Tester } from './testers.ts'

const PATH = '/api/v1/console/beta/testers'
const GHOST_STATES = ['ghost_no_users_row', 'ghost_empty_shell']

interface SweepOptions extends Json { limit: number, dryRun?: boolean, reason?: string, ticket?: string }

export const ghostVerbs: Family = (program, bind) => {
  const ghosts = program.command('ghosts').description('Half-enrolled testers: list them, reset many.')
  const list = ghosts.command('list').description('Lists every tester who is a ghost.').addOption(jsonOption())
  bind(list, async (tools, options: Json) => {
    print(tools, await collect(tools, Infinity), options)
    return 'done'
  })

  const sweep = ghosts.command('sweep')
    .description('Resets ghosts one after the other, each with its own facts. Interrupted, it is simply run again.')
    .requiredOption('--limit <n>', 'at most this many', count)
    .option('--dry-run', 'only say which')
    .addOption(reasonOption().makeOptionMandatory(false)).addOption(ticketOption()).addOption(jsonOption())
  bind(sweep, async (tools, options: SweepOptions) => {
    const ghosts = await collect(tools, options.limit)
    if (options.dryRun === true) {
      print(tools, ghosts, options)
      return 'done'
    }
    if (options.reason === undefined) throw new Failure('usage', 'A sweep needs --reason "…" (or --dry-run to see what it would do).')
    return resetAll(tools, ghosts, { ...options, reason: options.reason })
  })
}

const count = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 999999.')
  return Number(text)
}

const collect = async ({ client }: Tools, limit: number): Promise<Tester[]> => {
  const found: Tester[] = []
  for (const state of GHOST_STATES) {
    for await (const tester of client.pages<Tester>(PATH, { ghost_state: state })) {
      if (found.length >= limit) return found
      found.push(tester)
    }
  }
  return found
}

const print = ({ terminal }: Tools, ghosts: readonly Tester[], options: Json): void => {
  if (options.json === true) for (const ghost of ghosts) terminal.json(ghost)
  else terminal.table(['TESTER', 'GHOST STATE', 'E-MAIL'], ghosts.map(({ tester_id: id, ghost_state: state, email }) => [id, state ?? '-', email]))
}

const resetAll = async (tools: Tools, ghosts: readonly Tester[], options: SweepOptions & { reason: string }) => {
  const { client, terminal, surroundings } = tools
  const body = { reason: options.reason, ...options.ticket !== undefined && { ticket: options.ticket } }
  const bar = terminal.bar('sweep')
  let reset = 0
  let refused = 0
  for (const { tester_id: testerId } of ghosts) {
    if (surroundings.signal.aborted) break
    bar.at(reset + refused, ghosts.length, `${reset} reset, ${refused} refused, of ${ghosts.length}`)
    try {
      const answer = await client.request<ResetAnswer>('POST', `${PATH}/${testerId}/ghost-reset`, { body })
      reset++
      if (options.json === true) terminal.json({ ...answer.body, tester_id: testerId, outcome: 'reset' })
    } catch (error) {
      // A refusal concerns this tester alone (somebody enrolled meanwhile); anything else concerns those behind it too.
      if (!(error instanceof ProblemFailure) || error.exit !== 'refused') throw error
      refused++
      if (options.json === true) terminal.json({ tester_id: testerId, outcome: 'refused', code: error.problem.code })
      else terminal.line(`${testerId} refused: ${error.problem.code}`)
    }
  }
  const left = ghosts.length - reset - refused
  bar.stop(`sweep: ${reset} reset, ${refused} refused, ${left} left`)
  return refused + left > 0 ? 'findings' : 'done'
}
