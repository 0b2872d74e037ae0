// The console's, the accounts side's and the auditor's requests that the demo's acts are made of; each says what it did.
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
  ghost_state: string | null
  becomes_ghost_at: string | null
  link: { user_id: string, opened_at: string | null } | null
  verdict: Verdict | null
  timeline: Array<{ stream: string }>
}

interface Event { position: string, stream: string, type: string, metadata: { occurredAt: string, actor: { type: string } } }

export type Stage = ReturnType<typeof createStage>

export const createStage = (client: Client, tell: Narrator, mailbox: Mailbox) => {
  /** Position of the last thing done: what is looked at afterwards must show it. */
  let last: string | undefined

  const command = async <Body>(path: string, body: object, outcome: (body: Body) => string): Promise<Body> => {
    const answer = await client.request<Body>('POST', path, { body })
    last = answer.position ?? last
    tell.did(`POST ${short(path)}`, outcome(answer.body))
    return answer.body
  }

  const tester = async (testerId: string): Promise<Tester> =>
    (await client.request<Tester>('GET', `${TESTERS}/${testerId}`, { minPosition: last })).body

  return {
    client,
    tell,
    mailbox,
    tester,
    /** Takes note of what somebody else's request has done. */
    saw: (position: string | undefined) => { last = position ?? last },
    invite: async (email: string): Promise<string> =>
      (await command<Tester>(TESTERS, { email }, ({ tester_id: id }) => `tester ${id}`)).tester_id,
    importOne: async (row: { email: string, [column: string]: unknown }): Promise<string> => {
      await command<{ imported: number }>(`${TESTERS}/import`, { rows: [row] }, ({ imported }) => `${imported} tester imported`)
      const { body } = await client.request<{ items: Tester[] }>('GET', TESTERS, { query: { email: row.email }, minPosition: last })
      const [found] = body.items
      if (found === undefined) throw new Failure('refused', 'The imported tester is not in the list.')
      return found.tester_id
    },
    ghostCheck: async (testerId: string): Promise<Verdict> => {
      const { link } = await tester(testerId)
      return command<Verdict>('/api/internal/users/ghost-check',
        { tester_id: testerId, user_id: link?.user_id, link_opened_at: link?.opened_at }, ({ state }) => state)
    },
    reset: (testerId: string, body: object) =>
      command<{ state: string, mail: string }>(`${TESTERS}/${testerId}/ghost-reset`, body, ({ state, mail }) => `was ${state}, is gone; mail: ${mail}`),
    /** Sends what must be refused with this code, and shows the refusal. */
    refused: async (path: string, body: object, code: string): Promise<void> => {
      try {
        await client.request('POST', path, { body })
      } catch (error) {
        if (!(error instanceof ProblemFailure) || error.problem.code !== code) throw error
        tell.did(`POST ${short(path)}`, `${error.problem.status} ${code}`)
        tell.say(`  "${error.problem.detail}"`)
        return
      }
      throw new Failure('refused', `POST ${path} should have been refused with ${code}, and was not.`)
    },
    /** What the log holds about a tester and its accounts, in its order: time, type, stream, who. */
    timeline: async (testerId: string): Promise<string[][]> => {
      const streams = new Set((await tester(testerId)).timeline.map(({ stream }) => stream))
      const events: Event[] = []
      for (const stream of streams) for await (const event of client.pages<Event>('/api/v1/audit/events', { stream })) events.push(event)
      return events
        .sort((a, b) => BigInt(a.position) < BigInt(b.position) ? -1 : 1)
        .map(({ metadata, type, stream }) => [metadata.occurredAt, type, short(stream), metadata.actor.type])
    }
  }
}

/** Ids cut to what tells them apart on one screen. */
const short = (text: string): string => text.replaceAll(/([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g, '$1…')
