// The console's and the auditor's requests that the demo's acts are made of; each says what it did.
import type { Client } from '../client.ts'
import { Failure, ProblemFailure } from '../failures.ts'
import type { Mailbox } from './mailbox.ts'
import type { Narrator } from './narrator.ts'

export const TESTERS = '/api/v1/console/beta/testers'

export interface Verdict {
  state: string
  becomes_ghost_at?: string
  rule: string
  threshold_ms: number
  evidence: Array<{ stream: string, revision: string, type: string, occurred_at: string }>
  evaluated_at_position: string
}

export interface Tester {
  tester_id: string
  ghost?: Verdict | null
  user_ids: string[]
  [key: string]: unknown
}

interface Event { position: string, stream: string, type: string, metadata: { occurredAt: string } }

export type Stage = ReturnType<typeof createStage>

export const createStage = (client: Client, tell: Narrator, mailbox: Mailbox) => {
  let last: string | undefined

  /** One command; later queries must see it. */
  const command = async <Body>(path: string, body: object, outcome: (body: Body) => string): Promise<Body> => {
    const answer = await client.request<Body>('POST', path, { body })
    last = answer.position ?? last
    tell.did(`POST ${path}`, outcome(answer.body))
    return answer.body
  }

  return {
    client,
    tell,
    mailbox,
    invite: async (email: string): Promise<string> =>
      (await command<Tester>(TESTERS, { email }, ({ tester_id: id }) => `tester ${id}`)).tester_id,
    importOne: async (row: object): Promise<string> => {
      const { testers } = await command<{ imported: number, testers: Array<{ tester_id: string }> }>(
        `${TESTERS}/import`, { rows: [row] }, ({ imported }) => `${imported} imported`)
      const [tester] = testers
      if (tester === undefined) throw new Failure('refused', 'The import answered without a tester.')
      return tester.tester_id
    },
    reset: (testerId: string, body: object) =>
      command<{ state: string, mail: string }>(`${TESTERS}/${testerId}/ghost-reset`, body, ({ state, mail }) => `was ${state}; mail: ${mail}`),
    tester: async (testerId: string, minPosition = last): Promise<Tester> =>
      (await client.request<Tester>('GET', `${TESTERS}/${testerId}`, { minPosition })).body,
    /** Sends what must be refused with this code, and shows the refusal. */
    refused: async (name: string, path: string, body: object, code: string): Promise<void> => {
      try {
        await client.request('POST', path, { body })
      } catch (error) {
        if (!(error instanceof ProblemFailure) || error.problem.code !== code) throw error
        tell.did(`POST …/${name}`, `${error.problem.status} ${code}: ${error.problem.detail}`)
        return
      }
      throw new Failure('refused', `${name} should have been refused with ${code}, and was not.`)
    },
    /** What the log holds of some streams, in its order: time, type, stream. */
    timeline: async (streams: readonly string[]): Promise<string[][]> => {
      const events: Event[] = []
      for (const stream of streams) for await (const event of client.pages<Event>('/api/v1/audit/events', { stream, min_position: last })) events.push(event)
      return events
        .sort((a, b) => Number(BigInt(a.position) - BigInt(b.position)))
        .map(({ metadata, type, stream }) => [metadata.occurredAt, type, stream.replace(/(-[0-9a-f]{8}).*/, '$1…')])
    }
  }
}
