// Principals below the door, on a real store and vault: first and last superadmins, what a look costs, who may append.
import { randomBytes, randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { uuidIds as ids } from '../../../infra/ids.ts'
import { masterKey } from '../../../infra/keys/master-key.ts'
import { connectPostgres } from '../../../infra/postgres/index.ts'
import { openVault } from '../../../infra/vault/index.ts'
import { createAccess } from '../../../src/commands/access/authorise.ts'
import type { Caller } from '../../../src/commands/access/access.ts'
import { fenced } from '../../../src/commands/access/fence.ts'
import type { CommandContext } from '../../../src/commands/context.ts'
import { createAggregates } from '../../../src/commands/execute.ts'
import { createPrincipal, grantRoleTo, revokeRoleFrom } from '../../../src/commands/principals/principals.ts'
import { bootstrapSuperadmin, recoverSuperadmin } from '../../../src/commands/roster/superadmin.ts'
import { issueTokenFor, revokeTokenOf } from '../../../src/commands/tokens/tokens.ts'
import { parseToken } from '../../../src/commands/tokens/token.ts'
import { Refusal } from '../../../src/domain/codes.ts'
import { principalAggregate, usableTokens } from '../../../src/domain/principal/principal.ts'
import { ROSTER, rosterAggregate, usableCount } from '../../../src/domain/principal/roster.ts'
import { LogOutcomeUnknown, LogUnavailable } from '../../../src/log-errors.ts'
import type { EventStore, ProcessLock } from '../../../src/ports.ts'
import { testDatabase } from '../../support/postgres.ts'
import { testLog } from '../../support/log.ts'

const ground = async (t: Test) => {
  const postgres = await connectPostgres({ url: (await testDatabase(t)).url })
  t.teardown(() => postgres.close())
  const vault = await openVault({ pool: postgres.pool, schema: postgres.schemas.vault, masterKey: masterKey(randomBytes(32), 'test') })
  const log = await testLog(t, vault)
  const clock = { at: new Date('2026-03-01T12:00:00.000Z'), now: () => new Date(clock.at) }
  const context = (): CommandContext => ({ commandId: randomUUID(), at: clock.now(), actor: { type: 'system', id: 'test' }, requestId: 'test' })

  /** A process of its own as far as caches go. Its log counts, and fails where it is told to. */
  const startProcess = (mode: 'single' | 'many' = 'many') => {
    const seen = { appends: 0, reads: 0 }
    const control = { proven: true, epoch: 1, away: false, failsBefore: (_stream: string) => false, afterAppend: () => {} }
    const lock: ProcessLock = { mode, proven: () => control.proven, get epoch () { return control.epoch }, whenProven: async () => control.proven }
    const events: EventStore = {
      ...log,
      append: async (stream, expected, facts) => {
        if (control.away || control.failsBefore(stream)) throw new LogUnavailable('the test says so')
        seen.appends++
        const appended = await log.append(stream, expected, facts)
        control.afterAppend()
        return appended
      },
      readStream: (stream, options) => {
        if (control.away) throw new LogUnavailable('the test says so')
        seen.reads++
        return log.readStream(stream, options)
      }
    }
    const guarded = fenced(events, lock)
    const aggregates = createAggregates(guarded, ids)
    const unnoted: unknown[] = []
    const access = createAccess({ aggregates, events: guarded, lock, clock, ids, onUnnoted: (error) => unnoted.push(error) })
    return { seen, control, lock, aggregates, access, events: guarded, unnoted, deps: { aggregates, ids } }
  }

  /** Where the token is left; it notes what the log held when it was written. */
  const tokenFile = () => {
    const file = { token: undefined as string | undefined, writes: 0, fails: false, logWhenWritten: [] as Array<bigint | undefined> }
    return {
      file,
      read: async () => file.token,
      write: async (token: string) => {
        if (file.fails) throw new Error('disk full')
        file.logWhenWritten.push((await log.last())?.position)
        file.token = `${token}\n`
        file.writes++
      }
    }
  }
  return { log, clock, context, startProcess, tokenFile }
}

t.test('the first superadmin', async (t) => {
  await t.test('the file is there before the fact, and no file means no fact', async (t) => {
    const { log, clock, startProcess, tokenFile } = await ground(t)
    const { aggregates, access } = startProcess()
    const file = tokenFile()
    file.file.fails = true
    await t.rejects(bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: file }), { message: 'disk full' })
    t.equal(await log.last(), undefined)
    file.file.fails = false
    const token = await bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: file })
    t.strictSame(file.file.logWhenWritten, [undefined])
    t.match(await access.judge(token, 'principals.write'), { outcome: 'allowed', caller: { kind: 'operator' } })
    t.equal(await bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: file }), undefined, 'there is one')
    t.equal(file.file.writes, 1)
    const stored: string[] = []
    for await (const event of log.rawAll()) stored.push(JSON.stringify(event.data))
    t.notMatch(stored.join(), token?.split('_')[2] ?? 'nothing', 'the secret is nowhere in the log')
  })

  await t.test('a start cut off between its facts is completed by the next', async (t) => {
    const { clock, startProcess, tokenFile } = await ground(t)
    const first = startProcess()
    const file = tokenFile()
    first.control.failsBefore = (stream) => stream.startsWith('roster-')
    await t.rejects(bootstrapSuperadmin({ aggregates: first.aggregates, ids, clock, tokenFile: file }), LogUnavailable)
    const left = file.file.token?.trim()
    t.match(await first.access.judge(left, 'principals.write'), { outcome: 'forbidden' }, 'half a superadmin is none')
    const second = startProcess()
    t.equal(await bootstrapSuperadmin({ aggregates: second.aggregates, ids, clock, tokenFile: file }), left, 'the same token')
    t.match(await first.access.judge(left, 'principals.write'), { outcome: 'allowed' })
  })

  await t.test('its token lost in between, another is made; two starts at once make one superadmin', async (t) => {
    const { clock, startProcess, tokenFile } = await ground(t)
    const cut = startProcess()
    cut.control.failsBefore = (stream) => stream.startsWith('roster-')
    await t.rejects(bootstrapSuperadmin({ aggregates: cut.aggregates, ids, clock, tokenFile: tokenFile() }))
    const made = await Promise.all([startProcess(), startProcess()].map(({ aggregates }) => bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: tokenFile() })))
    for (const token of made.filter((one) => one !== undefined)) t.match(await cut.access.judge(token, 'principals.write'), { outcome: 'allowed' })
    t.equal((await cut.aggregates.current(rosterAggregate, ROSTER)).state.superadmins.size, 1)
  })

  await t.test('recovered with all tokens lost', async (t) => {
    const { log, clock, startProcess, tokenFile } = await ground(t)
    const { aggregates, access } = startProcess()
    const first = await bootstrapSuperadmin({ aggregates, ids, clock, tokenFile: tokenFile() })
    const file = tokenFile()
    const before = (await log.last())?.position
    const token = await recoverSuperadmin({ aggregates, ids, clock, tokenFile: file })
    t.strictSame(file.file.logWhenWritten, [before], 'the file first')
    t.equal(file.file.token?.trim(), token)
    t.match(await access.judge(token, 'principals.write'), { outcome: 'allowed' })
    t.match(await access.judge(first, 'principals.write'), { outcome: 'allowed' }, 'others stay as they were')
    t.equal((await log.last())?.type, 'superadmin.recovered')
  })
})

t.test('a key that was used for another request is refused before anything is appended, whichever stream knows it', async (t) => {
  const { log, clock, context, startProcess, tokenFile } = await ground(t)
  const { deps } = startProcess()
  await bootstrapSuperadmin({ ...deps, clock, tokenFile: tokenFile() })
  const withToken = async () => issueTokenFor(deps, await createPrincipal(deps, { kind: 'operator', name: 'x', roles: [] }, context()), context())
  const [other, { principalId, tokenId }] = [await withToken(), await withToken()]
  const refused = async (command: CommandContext, run: (again: CommandContext) => Promise<unknown>, what: string) => {
    const before = await log.last()
    await t.rejects(run({ ...command, fingerprint: `not ${what}` }), { code: 'idempotency_key_reused' }, what)
    t.equal((await log.last())?.position, before?.position, `${what}: nothing was appended`)
  }
  const [revoked, granted] = [{ ...context(), fingerprint: 'a revocation' }, { ...context(), fingerprint: 'a role' }]
  await revokeTokenOf(deps, other, revoked)
  await refused(revoked, (again) => issueTokenFor(deps, { principalId }, again), 'a token for somebody else')
  await refused(revoked, (again) => grantRoleTo(deps, { principalId, role: 'auditor' }, again), 'a role of its own')
  await refused(revoked, (again) => createPrincipal(deps, { kind: 'service', name: 'three', roles: [] }, again), 'a principal')
  await grantRoleTo(deps, { principalId, role: 'operator' }, granted)
  await refused(granted, (again) => grantRoleTo(deps, { principalId, role: 'superadmin' }, again), 'superadmin')
  await refused(granted, (again) => revokeTokenOf(deps, { principalId, tokenId }, again), 'a revocation')
})

t.test('what a look costs, and what it may rest on', async (t) => {
  const { clock, context, startProcess, tokenFile } = await ground(t)
  const single = startProcess('single')
  const other = startProcess()
  await bootstrapSuperadmin({ aggregates: single.aggregates, ids, clock, tokenFile: tokenFile() })
  const { principalId } = await createPrincipal(single.deps, { kind: 'service', name: 'probe', roles: ['auditor'] }, context())
  const { token, tokenId } = await issueTokenFor(single.deps, { principalId, expiresAt: '2026-03-01T13:00:00.000Z' }, context())
  const reads = async (process: ReturnType<typeof startProcess>, permission: 'audit.read' | 'principals.write' | undefined, outcome: string) => {
    const before = process.seen.reads
    t.match(await process.access.judge(token, permission), { outcome }, `${String(permission)}: ${outcome}`)
    return process.seen.reads - before
  }

  await reads(single, 'principals.write', 'forbidden')
  t.equal(await reads(single, 'audit.read', 'allowed'), 0, 'alone and warm: no read')
  t.equal(await reads(single, 'principals.write', 'forbidden'), 0, 'a refusal neither')
  single.control.away = true
  t.equal(await reads(single, 'audit.read', 'allowed'), 0, 'also without the store')
  single.control.proven = false
  await t.rejects(single.access.judge(token, 'audit.read'), LogUnavailable, 'unproven it has to look, and cannot')
  single.control.away = false
  t.equal(await reads(single, 'audit.read', 'allowed'), 1, 'unproven: one read')
  single.control.proven = true
  single.control.epoch = 2
  t.equal(await reads(single, 'audit.read', 'allowed'), 1, 'a new proof begins with a look')
  t.equal(await reads(single, 'principals.write', 'forbidden'), 1, 'at the roster too')
  t.equal(await reads(single, 'audit.read', 'allowed'), 0)

  await reads(other, 'principals.write', 'forbidden')
  t.equal(await reads(other, 'audit.read', 'allowed'), 1, 'many: one read, of the principal')
  t.equal(await reads(other, 'principals.write', 'forbidden'), 2, 'many, and the right is lacking: the roster as well')

  clock.at = new Date('2026-03-01T12:59:59.999Z')
  await reads(single, 'audit.read', 'allowed')
  clock.at = new Date('2026-03-01T13:00:00.000Z')
  await reads(single, 'audit.read', 'unauthenticated')
  clock.at = new Date('2026-03-01T12:30:00.000Z')
  await revokeRoleFrom(single.deps, { principalId, role: 'auditor' }, context())
  t.equal(await reads(single, 'audit.read', 'forbidden'), 0, 'its own appends keep it warm')
  await revokeTokenOf(single.deps, { principalId, tokenId }, context())
  t.equal(await reads(single, undefined, 'unauthenticated'), 0)
  await reads(other, undefined, 'unauthenticated')
})

t.test('who lost the lock changes nobody\'s rights', async (t) => {
  const { log, context, startProcess } = await ground(t)
  const process = startProcess('single')
  process.control.proven = false
  await t.rejects(createPrincipal(process.deps, { kind: 'service', name: 'x', roles: [] }, context()), LogUnavailable)
  t.equal(await log.last(), undefined)
  process.control.proven = true
  process.control.afterAppend = () => { process.control.proven = false }
  const command = context()
  await t.rejects(createPrincipal(process.deps, { kind: 'service', name: 'x', roles: [] }, command), LogOutcomeUnknown, 'lost during the append: nobody is told that it holds')
  process.control.afterAppend = () => {}
  process.control.proven = true
  const { principalId } = await createPrincipal(process.deps, { kind: 'service', name: 'x', roles: [] }, command)
  t.equal((await log.last())?.stream, `principal-${principalId}`, 'asked again, it is what was recorded')
  t.equal((await log.last())?.revision, 0n)
})

t.test('a refusal is noted once per right and minute, whoever notes it', async (t) => {
  const { log, clock, startProcess } = await ground(t)
  const caller: Caller = { principalId: randomUUID(), kind: 'service', tokenId: randomUUID(), roles: new Set() }
  const note = (process: ReturnType<typeof startProcess>, permission: 'audit.read' | 'testers.read') =>
    process.access.noteRefusal({ caller, permission, route: 'GET /x', requestId: 'r' })
  const noted = async () => {
    const permissions: string[] = []
    for await (const event of log.readStream(`refusal-${caller.principalId}`)) if (event.type === 'access.refused') permissions.push(event.data.permission)
    return permissions.sort()
  }
  await Promise.all(Array.from({ length: 5 }, () => note(startProcess(), 'audit.read')))
  t.strictSame(await noted(), ['audit.read'], 'five processes at once')
  await Promise.all(Array.from({ length: 3 }, () => note(startProcess(), 'testers.read')))
  clock.at = new Date(clock.at.getTime() + 59_999)
  await note(startProcess(), 'audit.read')
  t.strictSame(await noted(), ['audit.read', 'testers.read'])
  clock.at = new Date(clock.at.getTime() + 1)
  await note(startProcess(), 'audit.read')
  t.strictSame(await noted(), ['audit.read', 'audit.read', 'testers.read'], 'the next minute')
  const without = startProcess()
  without.control.away = true
  await note(without, 'testers.read')
  t.equal(without.unnoted.length, 1, 'a store that is away rejects nothing')
})

t.test('property: whatever crowds and crashes do, a superadmin with a usable token stays', async (t) => {
  const { clock, context, startProcess, tokenFile } = await ground(t)
  const processes = [startProcess(), startProcess(), startProcess()]
  const [one] = processes
  if (one === undefined) return
  const first = parseToken(await bootstrapSuperadmin({ aggregates: one.aggregates, ids, clock, tokenFile: tokenFile() }) ?? '')
  const people = [first?.principalId ?? '']
  for (let i = 0; i < 2; i++) people.push((await createPrincipal(one.deps, { kind: 'operator', name: `p${i}`, roles: [] }, context())).principalId)

  const truth = async () => {
    const { aggregates } = startProcess()
    const { state } = await aggregates.current(rosterAggregate, ROSTER)
    let usable = 0
    const usableIds = new Set<string>()
    for (const id of people) {
      const tokens = usableTokens((await aggregates.current(principalAggregate, id)).state, clock.now())
      if (state.superadmins.has(id)) usable += tokens.length
      for (const { tokenId } of tokens) usableIds.add(tokenId)
    }
    const counted = [...state.superadmins.values()].flatMap((tokens) => [...tokens.keys()])
    return { usable, count: usableCount(state, clock.now()), tooMany: counted.filter((id) => !usableIds.has(id)) }
  }

  const step = fc.record({
    kind: fc.constantFrom('grant', 'remove', 'remove', 'issue', 'revoke', 'revoke'),
    who: fc.nat(2), token: fc.nat(5), process: fc.nat(2), crash: fc.constantFrom('no', 'no', 'no', 'roster-', 'principal-')
  })
  const codes = new Map<string, number>()
  const seed = Number(process.env['CHANCERY_SEED'] ?? Date.now() % 2 ** 31)
  t.comment(`seed ${seed}`)
  await fc.assert(fc.asyncProperty(fc.array(fc.array(step, { minLength: 2, maxLength: 5 }), { minLength: 1, maxLength: 4 }), async (batches) => {
    for (const batch of batches) {
      await Promise.all(batch.map(async ({ kind, who, token, process: at, crash }) => {
        const { deps, control, aggregates } = processes[at] ?? one
        const principalId = people[who] ?? ''
        const tokens = usableTokens((await aggregates.cached(principalAggregate, principalId)).state, clock.now())
        const tokenId = tokens[token % Math.max(1, tokens.length)]?.tokenId ?? randomUUID()
        control.failsBefore = (stream) => crash !== 'no' && stream.startsWith(crash)
        try {
          if (kind === 'grant') await grantRoleTo(deps, { principalId, role: 'superadmin' }, context())
          else if (kind === 'remove') await revokeRoleFrom(deps, { principalId, role: 'superadmin' }, context())
          else if (kind === 'issue') await issueTokenFor(deps, { principalId }, context())
          else await revokeTokenOf(deps, { principalId, tokenId }, context())
          codes.set('done', (codes.get('done') ?? 0) + 1)
        } catch (error) {
          if (!(error instanceof Refusal) && !(error instanceof LogUnavailable)) throw error
          const code = error instanceof Refusal ? error.code : 'crashed'
          codes.set(code, (codes.get(code) ?? 0) + 1)
        }
        control.failsBefore = () => false
      }))
      const { usable, count, tooMany } = await truth()
      if (usable < 1 || count < 1) throw new Error(`nobody is left: ${usable} usable, ${count} counted`)
      if (tooMany.length > 0) throw new Error(`the roster counts tokens that are gone: ${tooMany.join()}`)
    }
  }), { seed, numRuns: 30 })
  t.comment(JSON.stringify(Object.fromEntries(codes)))
  for (const code of ['done', 'crashed', 'last_superadmin', 'subject_not_found']) t.ok((codes.get(code) ?? 0) > 0, `${code}: ${codes.get(code) ?? 0}`)
})
