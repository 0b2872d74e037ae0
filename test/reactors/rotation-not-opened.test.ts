// A credential that is due and can have no rotation: its owner is told, once, and the rotation opens as soon as it can.
import t from 'tap'
import { adoptValue } from '../../src/commands/rotations/credentials.ts'
import { credentialAggregate } from '../../src/domain/credential/credential.ts'
import type { Mail } from '../../src/ports.ts'
import { runExpiry } from '../../src/reactors/rotation/expiry.ts'
import { ownerMailReactor } from '../../src/reactors/rotation/owner-mail.ts'
import { NAME } from '../domain/rotation/world.ts'
import { until } from '../support/until.ts'
import { world } from './rotation-world.ts'

const DAY_MS = 86_400_000

t.test('the id of the value in use is not known', async (t) => {
  const w = await world()
  await w.step({ kind: 'abort' })
  w.pass(84 * DAY_MS)
  // As a manifest could leave it before such a version was refused.
  await w.deps.aggregates.execute({
    aggregate: credentialAggregate, id: NAME, context: w.context(),
    decide: () => [{ type: 'credential.value_adopted', data: { credential: NAME, valueId: '44444444-4444-5444-8444-444444444444', fingerprint: 'f'.repeat(43), adoptedAt: w.deps.clock.now().toISOString() } }]
  })
  w.pass(84 * DAY_MS)
  const warned: string[] = []
  let looks = 0
  const due = async () => {
    looks++
    return [{ credential: NAME, rotationId: null, dueAt: w.deps.clock.now().toISOString() }]
  }
  const schedule = runExpiry({ ...w.deps, rotations: { due }, log: { warn: (_: object, message: string) => { warned.push(message) } } as never, everyMs: 1 })
  t.teardown(() => schedule.stop())
  const asked = () => w.log.events.filter(({ type }) => type === 'rotation.owner_mail_requested')
  await until(() => asked().length > 0)
  const before = looks
  await until(() => looks > before + 3)
  t.equal(asked().length, 1, 'once, however often it is looked at')
  t.notOk('rotationId' in (asked()[0]?.data ?? {}))

  const mails: Mail[] = []
  const [request] = asked()
  const { mailId } = request?.data as { mailId: string }
  const reactor = ownerMailReactor({
    ...w.deps, vault: { open: async () => ({ status: 'open', text: 'ada@example.org' }) }, publicUrl: 'https://chancery.example', rules: { maxAttempts: 3, pausesMs: [1], claimMs: 0 },
    mailer: { send: async (mail: Mail) => { mails.push(mail); return { status: 'sent' } } } as never
  })
  const intent = { id: mailId, stream: `credential-${NAME}`, eventId: String(request?.id), correlationId: String(request?.id) }
  t.equal(await reactor.carryOut(intent), undefined)
  t.equal(await reactor.carryOut(intent), undefined)
  t.match(mails, [{ to: 'ada@example.org', subject: `The rotation of ${NAME} could not begin`, text: /no rotation can be opened: .*id of the one in use is not known[\s\S]*credentials adopt heroku-api --vendor-token-id ID/ }])
  t.equal(mails.length, 1)
  t.same(w.types().filter((type) => type.startsWith('rotation.owner_mail_')), ['rotation.owner_mail_requested', 'rotation.owner_mail_attempted', 'rotation.owner_mail_sent'])

  const opened = w.types().filter((type) => type === 'rotation.opened').length
  await adoptValue(w.deps, { credential: NAME, value: w.first.secret, vendorTokenId: w.first.tokenId, expiresAt: w.deps.clock.now().toISOString() }, w.context())
  await until(() => w.types().filter((type) => type === 'rotation.opened').length > opened)
  t.same(warned, [])
})
