// Killed after each append of a reset, restarted, asked again: complete, and nothing twice.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { spawnService, type Answer, type SpawnedService } from '../support/service.ts'
import { until } from '../support/until.ts'

const PATH = '/api/v1/console/beta/testers'
const ago = (minutes: number): string => new Date(Date.now() - minutes * 60_000).toISOString()

/**
 * The appends of a reset, last first: so that whatever is carried on in one life of the service does not run into that
 * life's own failpoint. What is appended together stands here with its first fact.
 */
const appends = ['mail.sent', 'mail.attempted', 'walkthrough_token.revoked', 'email.released', 'account.ghost_reset', 'console.beta.ghost_reset.initiated']

/** All facts of a reset, in the order of the log. */
const whole = [
  'console.beta.ghost_reset.initiated', 'account.ghost_reset', 'email.released', 'walkthrough_token.revoked',
  'walkthrough_token.minted', 'mail.requested', 'mail.attempted', 'mail.sent', 'console.beta.ghost_reset.completed'
]

interface Event { type: string, stream: string, position: string }

t.test('killed between two appends', async (t) => {
  let service: SpawnedService | undefined
  let testerOf = new Map<string, string>()

  const start = async (failpoint?: string): Promise<SpawnedService> => {
    await service?.stop()
    const env = { CHANCERY_API_PROCESSES: 'many', ...(failpoint !== undefined && { CHANCERY_FAILPOINT: `append.after:${failpoint}:kill` }) }
    if (service === undefined) return spawnService(t, { env })
    const { CHANCERY_FAILPOINT: _, ...before } = service.env
    return spawnService(t, { beside: { ...service, env: before }, env })
  }
  const reset = async (failpoint: string): Promise<Answer> => {
    if (service === undefined) throw new Error('no service')
    return service.request('POST', `${PATH}/${testerOf.get(failpoint) ?? ''}/ghost-reset`, { reason: 'left half-way' })
  }
  let position = '0'
  const complete = async (failpoint: string): Promise<void> => {
    let answer = await reset(failpoint)
    // A busy machine may answer 503 for a while: it is asked again, as a client would.
    if (answer.status === 503) {
      await until(async () => {
        answer = await reset(failpoint)
        return answer.status !== 503
      })
    }
    position = String(answer.body['position'])
    t.match(answer, { status: 200, body: { state: 'ghost_empty_shell' } }, `asked again after ${failpoint}`)
  }

  service = await start()
  const imported = await service.request('POST', `${PATH}/import`, {
    rows: appends.map((_, n) => ({ email: `ghost-${n}@example.org`, invited_at: ago(99), token_consumed_at: ago(61), user_created_at: ago(60) }))
  })
  const list = await service.request('GET', `${PATH}?min_position=${String(imported.body['position'])}`)
  const items = list.body['items'] as Array<{ email: string, tester_id: string }>
  testerOf = new Map(appends.map((failpoint, n) => [failpoint, items.find(({ email }) => email === `ghost-${n}@example.org`)?.tester_id ?? '']))

  let before: string | undefined
  for (const failpoint of appends) {
    service = await start(failpoint)
    if (before !== undefined) await complete(before)
    await t.rejects(reset(failpoint), `the service dies after ${failpoint}`)
    t.equal(await service.exit, 'SIGKILL')
    before = failpoint
  }
  service = await start()
  if (before !== undefined) await complete(before)

  for (const [failpoint, testerId] of testerOf) {
    const { body } = await service.request('GET', `${PATH}/${testerId}?min_position=${position}`)
    const timeline = body['timeline'] as Event[]
    // A mail whose hand-over was cut off is taken up again after a minute: it may be attempted twice, or stand as attempted.
    const counted = (type: string) => type !== 'email.released' && (failpoint !== 'mail.attempted' || !['mail.attempted', 'mail.sent'].includes(type))
    const facts = timeline.slice(timeline.findIndex(({ type }) => type === whole[0])).map(({ type }) => type)
    t.strictSame(facts.filter(counted).sort(), whole.filter(counted).sort(), `killed after ${failpoint}: everything, once`)
    t.match(body, { completed_resets: 1, open_reset_id: null, ghost_state: null, link: { status: 'unused' } })
    t.equal(timeline.findIndex(({ type }) => type === 'console.beta.ghost_reset.completed') > timeline.findIndex(({ type }) => type === 'account.ghost_reset'), true)
  }
  const released = await service.request('GET', '/api/v1/audit/events?type=email.released')
  t.equal((released.body['items'] as Event[]).length, appends.length, 'every address was freed, once')
  const open = await service.request('GET', '/api/v1/audit/open-intents')
  t.notMatch(open.text, 'console.beta.ghost_reset.initiated', 'no reset is left open')
  const mails = readdirSync(join(service.dataDir, 'outbox')).filter((name) => name.endsWith('.eml'))
  t.ok(mails.length === appends.length || mails.length === appends.length - 1, 'one mail a reset, named after its Message-ID')
  await service.stop()
})
