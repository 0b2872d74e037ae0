// `chancery ghosts …`: the testers who are stuck, and resetting many of them one after the other.
import { InvalidArgumentError } from 'commander'
import { reasonFor, sure } from '../ask.ts'
import type { Client } from '../client.ts'
import { Failure, ProblemFailure, type Exit } from '../failures.ts'
import type { Terminal } from '../terminal.ts'
import { jsonOption, minPositionOption, reasonOption, ticketOption, type Family, type Json, type Listing, type Tools } from '../verb.ts'
import { TESTERS, type ResetAnswer, type Tester } from './testers.ts'

const GHOST_STATES = ['ghost_no_users_row', 'ghost_empty_shell']

/** A tester to be reset: a ghost, or one whose reset was begun and not ended. */
interface Ghost { tester_id: string, ghost_state: string }

interface SweepOptions extends Listing { limit: number, dryRun?: boolean, reason?: string, ticket?: string }

export const ghostVerbs: Family = (program, bind) => {
  const ghosts = program.command('ghosts').description('Half-enrolled testers: list them, reset many.')
  const list = ghosts.command('list').description('Lists every tester who is a ghost.').addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Listing) => {
    print(terminal, await first(Infinity, ghostsOf(client, options)), options)
    return 'done'
  })

  const sweep = ghosts.command('sweep')
    .description('Resets ghosts one after the other, each with its own facts; resets that were begun and not ended come first. ' +
      'Interrupted, it is simply run again. Exit code 5 if one was refused or is left.')
    .requiredOption('--limit <n>', 'at most this many', count)
    .option('--dry-run', 'only say which')
    .addOption(reasonOption()).addOption(ticketOption()).addOption(minPositionOption()).addOption(jsonOption())
  bind(sweep, async (tools, options: SweepOptions) => {
    const { client, terminal, surroundings } = tools
    const found = () => first(options.limit, begun(client, options), ghostsOf(client, options))
    if (options.dryRun === true) {
      print(terminal, await found(), options)
      return 'done'
    }
    const reason = await reasonFor(options.reason, 'a sweep', surroundings)
    const ghosts = await found()
    if (ghosts.length > 0 && !await sure(`Reset ${ghosts.length} ghosts?`, surroundings)) throw new Failure('refused', 'Stopped; nothing was reset.')
    return resetAll(tools, ghosts, { ...options, reason })
  })
}

const count = (text: string): number => {
  if (!/^[1-9]\d{0,5}$/.test(text)) throw new InvalidArgumentError('It must be a whole number from 1 to 999999.')
  return Number(text)
}

const ghostsOf = async function * (client: Client, { minPosition }: Listing): AsyncGenerator<Ghost> {
  for (const state of GHOST_STATES) {
    for await (const tester of client.pages<Tester>(TESTERS, { ghost_state: state }, minPosition)) yield { ...tester, ghost_state: state }
  }
}

/** Resets that wait for their outcome. A caller who may not read the log does without: trying would enter a refusal. */
const begun = async function * (client: Client, { minPosition }: Listing): AsyncGenerator<Ghost> {
  const { body: { permissions } } = await client.request<{ permissions: string[] }>('GET', '/api/v1/me')
  if (!permissions.includes('audit.read')) return
  for await (const { stream } of client.pages<{ stream: string }>('/api/v1/audit/open-intents', { intent: 'console.beta.ghost_reset.initiated' }, minPosition)) {
    yield { tester_id: stream.slice('tester-'.length), ghost_state: 'reset_begun' }
  }
}

/** The first so many of several sources, each tester once. */
const first = async (limit: number, ...sources: Array<AsyncGenerator<Ghost>>): Promise<Ghost[]> => {
  const found = new Map<string, Ghost>()
  for (const source of sources) {
    for await (const ghost of source) {
      if (found.size >= limit) return [...found.values()]
      if (!found.has(ghost.tester_id)) found.set(ghost.tester_id, ghost)
    }
  }
  return [...found.values()]
}

const print = (terminal: Terminal, ghosts: readonly Ghost[], options: Json): void => {
  if (options.json === true) for (const ghost of ghosts) terminal.json(ghost)
  else terminal.table(['TESTER', 'GHOST STATE'], ghosts.map(({ tester_id: id, ghost_state: state }) => [id, state]))
}

const resetAll = async ({ client, terminal, surroundings }: Tools, ghosts: readonly Ghost[], options: SweepOptions & { reason: string }): Promise<Exit> => {
  const body = { reason: options.reason, ...options.ticket !== undefined && { ticket: options.ticket } }
  const bar = terminal.bar('sweep')
  let reset = 0
  let refused = 0
  const say = (line: object, text: string) => { if (options.json === true) terminal.json(line); else terminal.line(text) }
  const finish = (): Exit => {
    const left = ghosts.length - reset - refused
    bar.stop(`sweep: ${reset} reset, ${refused} refused, ${left} left`)
    return refused + left > 0 ? 'findings' : 'done'
  }

  for (const { tester_id: testerId } of ghosts) {
    if (surroundings.signal.aborted) break
    bar.at(reset + refused, ghosts.length, `${reset} reset, ${refused} refused, of ${ghosts.length}`)
    try {
      const { state, mail, reset_id: resetId, position } = (await client.request<ResetAnswer>('POST', `${TESTERS}/${testerId}/ghost-reset`, { body, whole: true })).body
      reset++
      say({ tester_id: testerId, outcome: 'reset', state, mail, reset_id: resetId, position }, `${testerId}  reset  ${state}  mail ${mail}`)
    } catch (error) {
      // A refusal concerns this tester alone (somebody enrolled meanwhile); anything else would meet those behind it too.
      if (!(error instanceof ProblemFailure) || error.exit !== 'refused') {
        finish()
        throw error
      }
      refused++
      say({ tester_id: testerId, outcome: 'refused', code: error.problem.code }, `${testerId}  refused  ${error.problem.code}`)
    }
  }
  return finish()
}
