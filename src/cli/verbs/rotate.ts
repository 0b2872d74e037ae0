// `chancery rotate NAME`: a whole rotation at one terminal: the board, and a question at each gate.
import { Option } from 'commander'
import { reasonFor, somebodyThere } from '../ask.ts'
import { createScreen, type BoardScreen } from '../board-screen.ts'
import { Failure, ProblemFailure, type Exit } from '../failures.ts'
import { nextCommands, wayOn } from '../next-steps.ts'
import { hasEnded, isWorking, type JobAnswer, type JobView } from '../rotation-api.ts'
import { reasonOption, ticketOption, type Family, type Tools } from '../verb.ts'
import type { CredentialPage } from './credentials-page.ts'
import { atGate, type Gathered } from './rotate-gate.ts'
import { watchJob, type WatchedJob } from './rotate-watch.ts'
import { readCredential, readJob, stillGoing, takeStep, ticketNote } from './rotations-job.ts'
import { openJob } from './rotations.ts'

interface RotateOptions { mode: string, confirm?: string, reason?: string, ticket?: string }

export const rotateVerb: Family = (program, bind) => {
  const rotate = program.command('rotate').argument('<credential>')
    .description('Rotates a credential from beginning to end: goes on with its open rotation, or opens one; shows the consumers live; asks before each stage what to do. The old value works until every consumer has proved that it uses the new one, and you have typed the name to revoke it. Ctrl-C leaves the rotation as it is: run the same again to go on. Exit code 5 if it waits for somebody, or was aborted.')
    .addOption(new Option('--mode <mode>', 'replace: the value in use is dead already; needs a ticket').choices(['rotate', 'replace']).default('rotate'))
    .option('--confirm <name>', 'the name of the credential, typed again; for replace, where nobody can be asked')
    .addOption(reasonOption()).addOption(ticketOption())
  bind(rotate, async (tools, credential: string, options: RotateOptions) => {
    const page = await readCredential(tools.client, credential)
    const { job, reason } = await begin(tools, page, options)
    const screen = createScreen(tools.surroundings)
    const over = new AbortController()
    const watched = watchJob(tools.client, job, {
      signal: AbortSignal.any([tools.surroundings.signal, over.signal]), onConnection: (trouble) => { screen.remark(trouble) }
    })
    try {
      return await goOn(tools, { screen, watched, page, gathered: { reason, ticket: options.ticket } })
    } finally {
      over.abort()
      screen.close()
    }
  })
}

/** The open rotation, or a new one that has begun its first stage: that changes nothing, so nobody is asked for it apart. */
const begin = async (tools: Tools, { credential, open_rotation: open }: CredentialPage, options: RotateOptions): Promise<{ job: JobAnswer, reason: string | undefined }> => {
  const { client, terminal, surroundings } = tools
  if (open !== null) {
    const job = await readJob(client, credential, open.rotation_id)
    if (options.mode === 'replace' && job.mode !== 'replace') {
      throw new Failure('refused', `A rotation of ${credential} is open that does not replace a dead value (${job.state}). If the value is dead: chancery rotations abort ${credential}, then the same again. To go on with the open one: chancery rotate ${credential}`)
    }
    terminal.note(`Going on with the rotation that was opened at ${job.opened_at}.`)
    return { job, reason: options.reason }
  }
  const reason = await reasonFor(options.reason, `rotating ${credential}`, surroundings)
  try {
    const job = await openJob(tools, credential, { ...options, reason })
    return { job: await takeStep(client, job, 'verify', { reason, ...options.ticket !== undefined && { ticket: options.ticket } }), reason }
  } catch (error) {
    // Somebody else was faster.
    const rotationId = error instanceof ProblemFailure && error.problem.code === 'rotation_open' ? error.problem.fields['rotation_id'] : undefined
    if (typeof rotationId !== 'string') throw error
    terminal.note('Going on with the rotation that is open.')
    return { job: await readJob(client, credential, rotationId), reason }
  }
}

/** Rows that a question with its answers takes. */
const QUESTION = 10

interface Going { screen: BoardScreen, watched: WatchedJob, page: CredentialPage, gathered: Gathered }

const goOn = async (tools: Tools, { screen, watched, page, gathered }: Going): Promise<Exit> => {
  const { client, terminal, surroundings } = tools
  let again = false
  for (;;) {
    const job = watched.now()
    screen.show(job)
    if (surroundings.signal.aborted) throw stopped(screen, job)
    if (hasEnded(job)) return ended(tools, screen, job)
    if (isWorking(job)) {
      await watched.moved()
      continue
    }
    const { cut } = screen.rest(QUESTION)
    if (!somebodyThere(surroundings)) {
      terminal.note([...[wayOn(job) ?? []].flat(), `It waits for somebody: ${nextCommands(job, { asks: false }).join('\n  or: ')}\nAt a terminal: chancery rotate ${job.credential}`].join('\n'))
      return 'findings'
    }
    const answer = await atGate(surroundings, job, { page, gathered, moved: watched.movedOn(job), again, more: cut })
    again = answer === 'moved'
    if (answer === 'leave') {
      terminal.note(leftAsItIs(job))
      return 'findings'
    }
    if (answer === 'moved') terminal.note('The rotation has moved on: somebody else took a step, the manifest changed, or a proof grew too old.')
    else if (answer === 'all') screen.all(job)
    else {
      try {
        const taken = await takeStep(client, job, answer.step, answer.body, { signal: surroundings.signal, onTrouble: (message) => { terminal.note(message) } })
        for (const note of ticketNote(taken, answer.body)) terminal.note(note)
        watched.take(taken)
      } catch (error) {
        if (!(error instanceof ProblemFailure) || error.exit !== 'refused') throw error
        terminal.note(`${error.message}\n`)
        watched.take(await readJob(client, job.credential, job.rotation_id))
      }
    }
  }
}

const leftAsItIs = ({ credential, mode }: JobView): string => `Left as it is${mode === 'replace' ? '' : '; the value in use works on'}. Go on with: chancery rotate ${credential}`

const stopped = (screen: BoardScreen, job: JobView): Failure => {
  screen.rest()
  return new Failure('refused', stillGoing(job))
}

const ended = ({ terminal }: Tools, screen: BoardScreen, { credential, state, mode }: JobView): Exit => {
  screen.rest()
  if (state === 'done') {
    terminal.line(`done: ${credential} is rotated, and the vendor was seen refusing the old value`)
    return 'done'
  }
  terminal.line(mode === 'replace' ? `aborted: the dead value of ${credential} is not replaced` : `aborted: ${credential} has its old value, as before`)
  return 'findings'
}
