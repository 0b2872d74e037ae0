// The load-decide-append loop on the real store: what a command costs, and that races, repeats and two processes record once.
import fc from 'fast-check'
import t, { type Test } from 'tap'
import type { Aggregate, Decide } from '../../src/commands/aggregate.ts'
import type { CommandContext } from '../../src/commands/context.ts'
import { createAggregates } from '../../src/commands/execute.ts'
import { refuse, type Code } from '../../src/domain/codes.ts'
import { LogOutcomeUnknown } from '../../src/log-errors.ts'
import type { EventStore } from '../../src/ports.ts'
import { uuidIds } from '../../infra/ids.ts'
import { testLog } from '../support/log.ts'

type Roles = ReadonlySet<string>

const holder: Aggregate<Roles, 'principal'> = {
  category: 'principal',
  initial: new Set(),
  evolve: (held, event) => {
    if (event.type === 'principal.role_granted') return new Set([...held, event.data.role])
    if (event.type === 'principal.role_revoked') return new Set([...held].filter((role) => role !== event.data.role))
    return held
  }
}

const at = new Date('2026-01-02T03:04:05.678Z')
const grant = (principalId: string, role: string): Decide<Roles, 'principal'> => (held) =>
  held.has(role) ? [] : [{ type: 'principal.role_granted', data: { principalId, role, grantedAt: at.toISOString() } }]
const revoke = (principalId: string, role: string): Decide<Roles, 'principal'> => (held) =>
  held.has(role)
    ? [{ type: 'principal.role_revoked', data: { principalId, role, revokedAt: at.toISOString() } }]
    : refuse('conflict', 'The role is not held.')
const never = (role: string): Decide<Roles, 'principal'> => (held) => held.has(role) ? refuse('conflict', 'The role is held.') : []

const command = (commandId = uuidIds.next(), fingerprint = 'f'): CommandContext =>
  ({ commandId, fingerprint, at, actor: { type: 'system', id: 'test' }, requestId: 'r' })

/** Counts what reaches the store. */
const counting = (events: EventStore) => {
  const count = { reads: 0, appends: 0 }
  const counted: EventStore = {
    ...events,
    append: (...args) => { count.appends++; return events.append(...args) },
    readStream: (...args) => { count.reads++; return events.readStream(...args) }
  }
  return { counted, take: () => { const taken = { ...count }; count.reads = count.appends = 0; return taken } }
}

const rejectsWith = (test: Test, promise: Promise<unknown>, code: Code) => test.rejects(promise, { code })

const facts = ({ events }: { events: ReadonlyArray<{ id: string, type: string, revision: bigint, data: object }> }) =>
  events.map(({ id, type, revision, data }) => ({ id, type, revision, data }))

const types = async (events: EventStore, stream: string) => {
  const found: string[] = []
  for await (const event of events.readStream(stream)) found.push(event.type)
  return found
}

t.test('what a command costs', async (t) => {
  const { counted, take } = counting(await testLog(t))
  const aggregates = createAggregates(counted, uuidIds)
  const id = uuidIds.next()
  const run = (decide: Decide<Roles, 'principal'>) => aggregates.execute({ aggregate: holder, id, decide, context: command() })

  await run(grant(id, 'auditor'))
  t.same(take(), { reads: 1, appends: 1 }, 'a cold one: a load and an append')
  await run(grant(id, 'operator'))
  t.same(take(), { reads: 0, appends: 1 }, 'a warm accepted one: an append')
  await rejectsWith(t, run(revoke(id, 'nobody')), 'conflict')
  t.same(take(), { reads: 1, appends: 0 }, 'a warm refused one: a read of the tail')
  const nothing = await run(grant(id, 'operator'))
  t.same(take(), { reads: 1, appends: 0 }, 'nothing to record: a read of the tail')
  t.equal(nothing.events.length, 0)
  t.equal(nothing.revision, 1n)
  await aggregates.cached(holder, id)
  t.same(take(), { reads: 0, appends: 0 }, 'the cached state: nothing')
  await aggregates.current(holder, id)
  t.same(take(), { reads: 1, appends: 0 }, 'the proven state: a read of the tail')
})

t.test('facts that follow from others stand in the same append', async (t) => {
  const { counted, take } = counting(await testLog(t))
  const aggregates = createAggregates(counted, uuidIds)
  const id = uuidIds.next()
  /** The fold that is looked at keeps where each fact says it stands. */
  const places: Aggregate<readonly string[], 'principal'> = {
    category: 'principal', initial: [], evolve: (seen, { stream, revision, type, metadata }) => [...seen, `${stream}@${revision} ${type} by ${metadata.actor.id}`]
  }
  await aggregates.execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context: command() })
  take()
  let foreseen: readonly string[] = []
  const { state } = await aggregates.execute({
    aggregate: places, id, context: command(),
    decide: (seen, loaded, after) => {
      const first = grant(id, 'operator')(new Set(), { ...loaded, state: new Set() }, () => new Set())
      const then = grant(id, 'superadmin')(new Set(), { ...loaded, state: new Set() }, () => new Set())
      foreseen = after([...first, ...then])
      t.same(after([]), seen, 'nothing changes nothing')
      return [...first, ...then]
    }
  })
  t.same(take().appends, 1)
  t.same(foreseen, state, 'what was foreseen is what was recorded then, with its place')
  t.match(state.at(-1), /^principal-[^@]+@2 principal\.role_granted by test$/)
})

t.test('two processes', async (t) => {
  const { counted, take } = counting(await testLog(t))
  const one = createAggregates(counted, uuidIds)
  const other = createAggregates(counted, uuidIds)
  const id = uuidIds.next()
  const on = (aggregates: typeof one, decide: Decide<Roles, 'principal'>, ifMatch?: bigint) =>
    aggregates.execute({ aggregate: holder, id, decide, context: command(), ...(ifMatch !== undefined && { ifMatch }) })

  await on(one, grant(id, 'auditor'))
  await rejectsWith(t, on(one, never('auditor')), 'conflict')
  await on(other, revoke(id, 'auditor'))
  t.equal((await on(one, never('auditor'))).revision, 1n, 'the cause of a refusal was removed elsewhere: the next call succeeds')

  await on(other, grant(id, 'operator'))
  take()
  const receipt = await on(one, grant(id, 'auditor'))
  t.same(take(), { reads: 1, appends: 2 }, 'a lost race: append, read of the tail, append')
  t.equal(receipt.revision, 3n)
  t.ok(receipt.state.has('operator'), 'decided again on what the other wrote')

  await on(other, grant(id, 'x'))
  await rejectsWith(t, on(one, grant(id, 'y'), 3n), 'precondition_failed')
  t.equal((await on(one, grant(id, 'y'), 4n)).revision, 5n, 'If-Match of what is so')
  await on(other, grant(id, 'z'))
  t.equal((await on(one, revoke(id, 'z'), 6n)).revision, 7n, 'If-Match of what only the other process had seen')
})

t.test('asking twice records once', async (t) => {
  const events = await testLog(t)
  const id = uuidIds.next()
  const context = command()
  const first = await createAggregates(events, uuidIds).execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context })
  const afresh = createAggregates(events, uuidIds)
  await afresh.execute({ aggregate: holder, id, decide: revoke(id, 'auditor'), context: command() })
  const again = await afresh.execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context })
  t.equal(again.replayed, true)
  t.same([again.revision, again.position, facts(again)], [first.revision, first.position, facts(first)], 'the first answer, after a restart')
  await rejectsWith(t, afresh.execute({ aggregate: holder, id, decide: grant(id, 'x'), context: command(context.commandId, 'g') }), 'idempotency_key_reused')

  const refused = command()
  await rejectsWith(t, afresh.execute({ aggregate: holder, id, decide: revoke(id, 'x'), context: refused }), 'conflict')
  await afresh.execute({ aggregate: holder, id, decide: grant(id, 'x'), context: command() })
  t.equal((await afresh.execute({ aggregate: holder, id, decide: revoke(id, 'x'), context: refused })).replayed, false,
    'a command that recorded nothing is decided afresh')
})

t.test('a stream that others keep changing', async (t) => {
  const events = await testLog(t)
  const rival = createAggregates(events, uuidIds)
  const id = uuidIds.next()
  let moves = 0
  const pushed: EventStore = {
    ...events,
    append: async (...args) => {
      await rival.execute({ aggregate: holder, id, decide: grant(id, `role-${moves++}`), context: command() })
      return events.append(...args)
    }
  }
  const context = command()
  await rejectsWith(t, createAggregates(pushed, uuidIds).execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context }), 'conflict')
  t.equal(moves, 5, 'decided again a few times, not for ever')
  const held = (await rival.current(holder, id))
  t.notOk(held.state.has('auditor'), 'and nothing was recorded')
  t.notOk(held.commands.has(context.commandId))
})

t.test('after an unknown outcome the cache is not believed', async (t) => {
  const events = await testLog(t)
  const id = uuidIds.next()
  let swallow = true
  const deaf: EventStore = {
    ...events,
    append: async (...args) => {
      const appended = await events.append(...args)
      if (swallow) throw new LogOutcomeUnknown('the answer was lost')
      return appended
    }
  }
  const aggregates = createAggregates(deaf, uuidIds)
  const context = command()
  await t.rejects(aggregates.execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context }), LogOutcomeUnknown)
  swallow = false
  t.equal((await aggregates.execute({ aggregate: holder, id, decide: grant(id, 'auditor'), context })).replayed, true)
  t.same(await types(events, `principal-${id}`), ['principal.role_granted'])
})

t.test('any crowd of commands from two processes: every acknowledged one is there once, in contiguous revisions', async (t) => {
  const events = await testLog(t)
  const seed = Date.now()
  t.comment(`seed ${seed}`)
  const step = fc.record({ process: fc.nat(1), role: fc.constantFrom('a', 'b', 'c'), granted: fc.boolean(), repeat: fc.boolean() })
  await t.resolves(fc.assert(fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 24 }), async (steps) => {
    const id = uuidIds.next()
    const processes = [createAggregates(events, uuidIds), createAggregates(events, uuidIds)]
    const acknowledged: string[] = []
    await Promise.all(steps.flatMap(({ process, role, granted, repeat }) => {
      const context = command()
      const decide = granted ? grant(id, role) : revoke(id, role)
      const runs = repeat ? [process, 1 - process] : [process]
      return runs.map(async (number) => {
        try {
          const receipt = await processes[number]?.execute({ aggregate: holder, id, decide, context })
          if (receipt?.events.length === 1) acknowledged.push(context.commandId)
        } catch (error) {
          if ((error as { code?: string }).code !== 'conflict') throw error
        }
      })
    }))
    const recorded: string[] = []
    let revision = 0n
    for await (const event of events.readStream(`principal-${id}`)) {
      if (event.revision !== revision++) throw new Error(`gap before ${event.revision}`)
      recorded.push(event.metadata.commandId)
    }
    if (new Set(recorded).size !== recorded.length) throw new Error('a command was recorded twice')
    return acknowledged.every((commandId) => recorded.includes(commandId))
  }), { numRuns: 40, seed }))
})
