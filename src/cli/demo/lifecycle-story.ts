// What becomes of race names when their owners are blocked or deleted, with Redis standing still and a lobby that is killed.
import { randomBytes } from 'node:crypto'
import { Redis } from 'ioredis'
import { createClient } from '../client.ts'
import { Failure } from '../failures.ts'
import { readSettings } from '../settings.ts'
import type { Surroundings } from '../terminal.ts'
import { createAccountsStage, short, type AccountsStage } from './accounts-stage.ts'
import { startLobby, type Lobby, type LobbySettings } from './lobby.ts'
import { findLocalStack, type LocalStack } from './local-stack.ts'
import { createNarrator } from './narrator.ts'

interface Person { name: string, email: string, userId: string, raceNames: readonly string[] }
interface Cast { ada: Person, grace: Person, alan: Person }

/** Plays it once, with addresses and a consumer that no earlier run used. Throws Failure when anything is not as it should be. */
export const playLifecycle = async (surroundings: Surroundings): Promise<void> => {
  const settings = readSettings(surroundings)
  const stage = createAccountsStage(createClient(settings, surroundings.signal), createNarrator(surroundings))
  const began = performance.now()
  await stage.client.request('GET', '/health/live', { token: 'never' })
  await stage.until('a Redis to publish to', async () => (await stage.publisher())?.status === 'ready')
  const stack = findLocalStack(settings, surroundings)
  const run = randomBytes(4).toString('hex')

  // Whatever happens: Redis goes on, and nothing of this run is waited for afterwards.
  const ends: Array<() => Promise<unknown>> = []
  try {
    const lobby = await openLobby(stage, stack, { run, chanceryUrl: settings.url.origin, ends })
    const cast = await gather(stage, lobby.now(), run)
    await standStill(stage, stack, lobby.now(), cast)
    await catchUp(stage, stack, lobby, cast)
    await killLobby(stage, lobby, cast)
    await lookBack(stage, cast)
  } finally {
    stack.redis?.resume()
    for (const end of ends.reverse()) await end().catch(() => {})
  }
  stage.tell.act('The end')
  stage.tell.say(`That took ${((performance.now() - began) / 1000).toFixed(1)} s. Run it again: it uses fresh addresses.`)
}

interface OpenLobby { settings: LobbySettings, now: () => Lobby, again: () => Promise<void> }

/** Act 1: a service registers, and follows the stream. */
const openLobby = async (stage: AccountsStage, stack: LocalStack, { run, chanceryUrl, ends }: { run: string, chanceryUrl: string, ends: Array<() => Promise<unknown>> }): Promise<OpenLobby> => {
  const { tell } = stage
  tell.act('A lobby begins to follow the lifecycle stream')
  const { stream } = await stage.lifecycle()
  const consumer = `demo-${run}`
  const principal = await stage.admit(`Demo lobby ${run}`)
  ends.push(principal.end)
  const database = await stack.database(`demo_lobby_${run}`)
  ends.push(database.drop)
  const settings = { postgresUrl: database.url, redisUrl: stack.redisUrl, chanceryUrl, token: principal.token, consumer, stream }
  let lobby = await startLobby(settings)
  ends.push(() => stage.retire(consumer), () => lobby.stop())
  tell.fact('a process of its own', String(lobby.pid))
  tell.fact('its consumer', consumer)
  tell.fact('the stream', stream)
  return { settings, now: () => lobby, again: async () => { lobby = await startLobby(settings) } }
}

/** Act 2: three accounts, and the names that they race under. */
const gather = async (stage: AccountsStage, lobby: Lobby, run: string): Promise<Cast> => {
  stage.tell.act('Ada, Grace and Alan sign in and register race names')
  const person = async (name: string, raceNames: readonly string[]): Promise<Person> => {
    const email = `${name.toLowerCase()}.${run}@example.test`
    const userId = await stage.ensure(email)
    for (const raceName of raceNames) await lobby.register(raceName, userId)
    stage.tell.fact(`${name} races as`, raceNames.join(', '))
    return { name, email, userId, raceNames }
  }
  return { ada: await person('Ada', ['Analytical Engine']), grace: await person('Grace', ['Compiler', 'Nanosecond']), alan: await person('Alan', ['Enigma']) }
}

/** Act 3: Redis does not answer, and nobody who decides something notices. */
const standStill = async (stage: AccountsStage, stack: LocalStack, lobby: Lobby, { ada, grace, alan }: Cast): Promise<void> => {
  const { tell } = stage
  tell.act('Redis stands still; Grace is blocked for good, Alan deletes his account')
  if (stack.redis === undefined) tell.say('Redis is not the one of this data folder: it is left alone.')
  else {
    stack.redis.pause()
    tell.did(`kill -STOP ${stack.redis.pid}`, 'Redis keeps its connections and answers nothing')
  }
  await stage.blockForGood(grace.userId)
  await stage.remove(alan.userId)
  if (stack.redis === undefined) return
  await stage.until('the publisher to see that Redis is away', async () => (await stage.publisher())?.status === 'away')
  const publisher = await stage.publisher()
  tell.fact('publisher', `${publisher?.status ?? 'none'}, ${publisher?.lag_entries ?? 'some'} entries behind the log`)
  await expectNames(stage, lobby, [ada, grace, alan])
}

/** Act 4: what waited in the log arrives, and causes what it should. */
const catchUp = async (stage: AccountsStage, stack: LocalStack, { settings, now }: OpenLobby, { ada, grace, alan }: Cast): Promise<void> => {
  const { tell } = stage
  tell.act('Redis goes on, and the lobby hears of both')
  if (stack.redis !== undefined) {
    stack.redis.resume()
    tell.did(`kill -CONT ${stack.redis.pid}`, 'the publisher appends behind the last entry there')
  }
  for (const person of [grace, alan]) await expectReceipt(stage, settings.consumer, person)
  for (const { userId } of [grace, alan]) {
    for (const { event_position: position } of (await stage.deletion(userId)).entries) {
      const entries = await withRedis(stack, (redis) => redis.xrange(settings.stream, `${position}-${position}`, `${position}-${position}`))
      if (entries.length !== 1) throw new Failure('refused', `The stream has ${entries.length} entries at ${position} instead of one.`)
      for (const [id, fields] of entries) tell.fact('entry', `${id}  ${fieldOf(fields, 'event_type')}  ${short(fieldOf(fields, 'user_id'))}  ${fieldOf(fields, 'reason_code')}`)
    }
  }
  await expectNames(stage, now(), [ada])
}

/** Act 5: the lobby dies, misses something, and comes back. */
const killLobby = async (stage: AccountsStage, lobby: OpenLobby, { ada }: Cast): Promise<void> => {
  const { tell } = stage
  tell.act('The lobby is killed; Ada deletes her account meanwhile')
  const { pid } = lobby.now()
  await lobby.now().kill()
  tell.did(`kill -9 ${pid}`, 'no chance to tidy up')
  await stage.remove(ada.userId)
  await lobby.again()
  tell.fact('started again', String(lobby.now().pid))
  await expectReceipt(stage, lobby.settings.consumer, ada)
  await expectNames(stage, lobby.now(), [])
  const { parked, receipts_to_post: open, receipts_refused: refused } = await lobby.now().state()
  if (parked + refused > 0) throw new Failure('refused', `The lobby parked ${parked} entries, and ${refused} receipts were refused.`)
  tell.fact('parked, open, refused', `${parked}, ${open}, ${refused}`)
}

/** Act 6: what is left of them for others, and whether the stream is what the log says. */
const lookBack = async (stage: AccountsStage, { grace, alan }: Cast): Promise<void> => {
  const { tell } = stage
  tell.act('What others see now, and what the stream is worth')
  await stage.resolve(alan.email)
  await stage.refused(`/api/v1/self/${alan.userId}`, 'subject_not_found')
  await stage.refused(`/api/v1/self/${grace.userId}`, 'conflict')
  const { body } = await stage.client.request<Record<'entries' | 'missing' | 'extra' | 'different' | 'out_of_order', number>>('POST', '/api/v1/operations/lifecycle/verify', { body: {} })
  const { entries, missing, extra, different, out_of_order: disordered } = body
  tell.did('POST /api/v1/operations/lifecycle/verify', `${entries} entries: ${missing} missing, ${extra} extra, ${different} different, ${disordered} out of order`)
  if (missing + extra + different + disordered > 0) throw new Failure('refused', 'The stream is not what the log says.')
}

const withRedis = async <T>({ redisUrl }: LocalStack, ask: (redis: Redis) => Promise<T>): Promise<T> => {
  const redis = new Redis(redisUrl, { maxRetriesPerRequest: 1 })
  // Without a listener they would be printed; what was asked fails with them.
  redis.on('error', () => {})
  try {
    return await ask(redis)
  } finally {
    redis.disconnect()
  }
}

const fieldOf = (fields: readonly string[], name: string): string => fields[fields.indexOf(name) + 1] ?? ''

/** Exactly these persons have exactly the names that they registered. */
const expectNames = async (stage: AccountsStage, lobby: Lobby, owners: readonly Person[]): Promise<void> => {
  const names = (await lobby.names()).map(({ name }) => name)
  const wanted = owners.flatMap(({ raceNames }) => raceNames).sort()
  stage.tell.fact('names still taken', names.join(', ') || 'none')
  if (names.join() !== wanted.join()) throw new Failure('refused', `The lobby has the names ${names.join(', ')}; it should have ${wanted.join(', ')}.`)
}

/** The lobby has reported one entry about this person, with as many names as the person had. */
const expectReceipt = async (stage: AccountsStage, consumer: string, person: Person): Promise<void> => {
  const own = async () => (await stage.deletion(person.userId)).entries.map(({ event_type: type, consumers }) => ({ type, ...consumers.find((one) => one.consumer === consumer) }))
  await stage.until(`a receipt for ${person.name}`, async () => {
    const found = await own()
    return found.length > 0 && found.every(({ state }) => state === 'finished')
  })
  const receipts = await own()
  for (const { type, outcome, items } of receipts) stage.tell.fact('receipt', `${person.name}: ${type}, ${outcome ?? 'none'}, ${items ?? 0}`)
  if (receipts.length !== 1 || receipts[0]?.items !== person.raceNames.length) throw new Failure('refused', `The receipt for ${person.name} does not name ${person.raceNames.length} names.`)
}
