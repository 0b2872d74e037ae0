// One rotation as the verbs handle it: found by its credential, asked for a step, followed until somebody is asked again.
import { randomUUID } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { createScreen } from '../board-screen.ts'
import type { Client } from '../client.ts'
import { followJob } from '../events.ts'
import { Failure, ProblemFailure } from '../failures.ts'
import { credentialPath, isWorking, rotationPath, type JobAnswer, type JobView, type ListedJob, type Step } from '../rotation-api.ts'
import type { Tools } from '../verb.ts'
import type { CredentialPage } from './credentials-page.ts'

/** A credential as it stands, its open rotation included: from its stream, so never behind. */
export const readCredential = async (client: Client, credential: string): Promise<CredentialPage> => {
  try {
    return (await client.request<CredentialPage>('GET', credentialPath(credential))).body
  } catch (error) {
    if (!(error instanceof ProblemFailure) || error.problem.code !== 'subject_not_found') throw error
    throw new Failure('refused', `There is no credential ${credential}. chancery credentials lists those there are; chancery credentials --help says how one gets here.`)
  }
}

export const readJob = async (client: Client, credential: string, rotationId: string): Promise<JobAnswer> =>
  (await client.request<JobAnswer>('GET', rotationPath(credential, rotationId))).body

export const listJobs = async (client: Client, credential: string): Promise<ListedJob[]> => {
  const jobs: ListedJob[] = []
  for await (const job of client.pages<ListedJob>(rotationPath(credential))) jobs.push(job)
  return jobs
}

/** The rotation that was named, else the open one, else the last. Throws Failure if there was none yet. */
export const findJob = async (client: Client, credential: string, rotationId: string | undefined): Promise<JobAnswer> => {
  if (rotationId !== undefined) return readJob(client, credential, rotationId)
  const { open_rotation: open } = await readCredential(client, credential)
  if (open !== null) return readJob(client, credential, open.rotation_id)
  const [job] = (await listJobs(client, credential)).sort((a, b) => a.opened_at < b.opened_at ? 1 : -1)
  if (job === undefined) throw new Failure('refused', `${credential} was never rotated. Begin with: chancery rotate ${credential}`)
  return readJob(client, credential, job.rotation_id)
}

/** What a step carries besides its name; as the API takes it. */
export interface StepBody { reason: string, ticket?: string, consumer?: string, confirm?: string, value?: string, vendor_token_id?: string, expires_at?: string }

/** Times that a step is sent whose answer did not arrive: the same key, so it happens once. */
const TRIES = 5

/**
 * Asks for a step of the job as it was seen; the service refuses it if the job has moved since.
 * Sent again under its key while nothing, or nothing certain, comes back.
 */
export const takeStep = async (client: Client, job: JobView, step: Step, body: StepBody, options: { key?: string | undefined, signal?: AbortSignal, onTrouble?: (message: string) => void } = {}): Promise<JobAnswer> => {
  const key = options.key ?? randomUUID()
  for (let tries = 1; ; tries++) {
    try {
      return (await client.request<JobAnswer>('POST', rotationPath(job.credential, job.rotation_id, step), { body, key, ifMatch: `"${job.transition}"` })).body
    } catch (error) {
      if (!(error instanceof Failure) || error.exit !== 'unavailable' || tries === TRIES) throw error
      options.onTrouble?.(`${error.message.split('\n')[0] ?? ''} Asking again.`)
      await pause(250 * 2 ** tries, undefined, options.signal === undefined ? {} : { signal: options.signal }).catch(() => { throw error })
    }
  }
}

/** Where there is no ticket system: what a ticket is worth, so that nobody believes that it was looked up. */
export const ticketNote = ({ ticket_check: check }: Pick<JobView, 'ticket_check'>, { ticket }: Pick<StepBody, 'ticket'>): string[] =>
  ticket !== undefined && check === 'format' ? ['The ticket was not looked up: no ticket system is configured, only its form was checked.'] : []

/** Shows the job until it waits for somebody or has ended; Ctrl-C ends the watching, not the job. */
export const followUntilWaiting = async ({ client, surroundings }: Tools, job: JobAnswer, { show = true }: { show?: boolean } = {}): Promise<JobView> => {
  const screen = show ? createScreen(surroundings) : undefined
  let seen: JobView = job
  try {
    screen?.show(seen)
    if (!isWorking(seen)) return seen
    for await (const { view } of followJob(client, { credential: job.credential, rotationId: job.rotation_id }, { signal: surroundings.signal, after: job.revision, onConnection: (trouble) => { screen?.remark(trouble) } })) {
      seen = view
      screen?.show(seen)
      if (!isWorking(seen)) return seen
    }
    throw new Failure('refused', stillGoing(seen))
  } finally {
    screen?.close()
  }
}

export const stillGoing = ({ credential }: Pick<JobView, 'credential'>): string =>
  `Not waited for any longer: the service goes on with what was begun, and then waits for you. Go on with: chancery rotate ${credential}`
