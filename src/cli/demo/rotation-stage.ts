// The requests about credentials and rotations that the rotation's story is made of; each says what it did, and must come out as told.
import { setTimeout as pause } from 'node:timers/promises'
import { changes } from '../board-screen.ts'
import type { Client } from '../client.ts'
import { followJob } from '../events.ts'
import { Failure, ProblemFailure } from '../failures.ts'
import { credentialPath, isWorking, rotationPath, type JobView, type Step } from '../rotation-api.ts'
import { short } from './accounts-stage.ts'
import type { Narrator } from './narrator.ts'

export type RotationStage = ReturnType<typeof createRotationStage>

const PATIENCE_MS = 60_000
const LOOK_MS = 50

export const createRotationStage = (client: Client, tell: Narrator, signal: AbortSignal) => {
  const reason = 'Demo: to see a rotation done'
  const send = async <Body>(method: string, path: string, body: object, outcome: string): Promise<Body> => {
    const answer = await client.request<Body>(method, path, { body })
    tell.did(`${method} ${short(path)}`, outcome)
    return answer.body
  }
  const expect = (so: boolean, otherwise: string): void => { if (!so) throw new Failure('refused', otherwise) }

  /** Follows the job by its events until somebody is asked again, and tells what moved. */
  const settled = async (job: JobView): Promise<JobView> => {
    let seen = job
    const late = AbortSignal.timeout(PATIENCE_MS)
    if (!isWorking(seen)) return seen
    for await (const { view } of followJob(client, { credential: job.credential, rotationId: job.rotation_id }, { signal: AbortSignal.any([signal, late]) })) {
      if (view.transition < seen.transition) continue
      for (const line of changes({ ...seen, state: view.state }, view)) tell.say(`  ${line.trim()}`)
      seen = view
      if (!isWorking(seen)) return seen
    }
    throw new Failure('refused', late.aborted ? `It was waited in vain for the rotation to leave ${seen.state}.` : 'Stopped.')
  }

  return {
    client,
    tell,
    expect,
    until: async (what: string, reached: () => Promise<boolean>): Promise<void> => {
      for (const end = Date.now() + PATIENCE_MS; !await reached(); await pause(LOOK_MS)) {
        expect(Date.now() < end && !signal.aborted, `It was waited in vain for this: ${what}.`)
      }
    },
    /** A principal for one consumer, with a token; `end` takes the token back. */
    admit: async (consumer: string): Promise<{ token: string, end: () => Promise<void> }> => {
      const { principal_id: id } = (await client.request<{ principal_id: string }>('POST', '/api/v1/principals', { body: { name: `Demo ${consumer}`, kind: 'service', roles: [`consumer:${consumer}`] } })).body
      const { token, token_id: tokenId } = (await client.request<{ token: string, token_id: string }>('POST', `/api/v1/principals/${id}/tokens`, { body: {} })).body
      return { token, end: async () => { await client.request('DELETE', `/api/v1/principals/${id}/tokens/${tokenId}`, { whole: true }) } }
    },
    put: async (credential: string, manifest: object): Promise<void> => {
      try {
        await send('PUT', credentialPath(credential), { manifest, reason }, 'the manifest is a fact')
      } catch (error) {
        if (error instanceof ProblemFailure && error.problem.code === 'manifest_invalid') throw new Failure('refused', `${JSON.stringify(error.problem.fields['errors'])}\nThe story's vendor and consumers speak plain http on this machine. Stop the service, and start it with: CHANCERY_OUTGOING_HTTP=loopback npm start`)
        throw error
      }
    },
    adopt: (credential: string, value: { token: string, id: string }, what: string) =>
      send<object>('POST', credentialPath(credential, 'value'), { value: value.token, vendor_token_id: value.id, reason }, what),
    open: async (credential: string): Promise<JobView> => {
      const { rotation_id: id } = await send<{ rotation_id: string }>('POST', rotationPath(credential), { reason }, 'a rotation is open; nothing was touched')
      return (await client.request<JobView>('GET', rotationPath(credential, id))).body
    },
    /** Takes a step and waits until the job is in the state that it must come to. */
    step: async (job: JobView, step: Step, state: string, more: object = {}): Promise<JobView> => {
      const path = rotationPath(job.credential, job.rotation_id, step)
      const { body } = await client.request<JobView>('POST', path, { body: { reason, ...more }, ifMatch: `"${job.transition}"` })
      tell.did(`POST ${short(path)}`, '202')
      const after = await settled(body)
      tell.fact('state', after.state)
      tell.say(`  "${after.meaning}"`)
      expect(after.state === state, `The rotation should be ${state} now, and is ${after.state}. ${after.failure === null ? '' : JSON.stringify(after.failure)}`)
      return after
    },
    /** Takes a step that must be refused with this code. */
    refused: async (job: JobView, step: Step, code: string, more: object = {}): Promise<void> => {
      const path = rotationPath(job.credential, job.rotation_id, step)
      const problem = await client.request('POST', path, { body: { reason, ...more }, ifMatch: `"${job.transition}"` }).then(() => undefined, (error: unknown) => {
        if (error instanceof ProblemFailure) return error.problem
        throw error
      })
      if (problem?.code !== code) throw new Failure('refused', `POST ${path} should have been refused with ${code}; the answer was ${problem?.code ?? 'yes'}.`)
      tell.did(`POST ${short(path)}`, `${problem.status} ${code}`)
      tell.say(`  "${problem.detail}"`)
    },
    job: async ({ credential, rotation_id: id }: Pick<JobView, 'credential' | 'rotation_id'>): Promise<JobView> => (await client.request<JobView>('GET', rotationPath(credential, id))).body
  }
}
