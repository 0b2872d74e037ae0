// The ghosts' life in five acts: how one comes about, why nobody may rush it, how it is reset, and what the log says.
import { randomBytes } from 'node:crypto'
import { createClient } from '../client.ts'
import { readSettings } from '../settings.ts'
import type { Surroundings } from '../terminal.ts'
import { openMailbox } from './mailbox.ts'
import { createNarrator } from './narrator.ts'
import { createPerson } from './person.ts'
import { createStage, TESTERS, type Stage } from './stage.ts'

/** Plays it once, with addresses that no earlier run used. Throws Failure when the service says something unexpected. */
export const play = async (surroundings: Surroundings): Promise<void> => {
  const settings = readSettings(surroundings)
  const client = createClient(settings, surroundings.signal)
  const stage = createStage(client, createNarrator(surroundings), openMailbox(settings.dataDir))
  const began = performance.now()
  await client.request('GET', '/health/live', { token: 'never' })
  const run = randomBytes(4).toString('hex')

  await breakOff(stage, `ada.${run}@example.test`)
  const grace = await importGhost(stage, `grace.${run}@example.test`)
  await resetGhost(stage, grace)
  await enrol(stage, grace, `grace.${run}@example.test`)
  await readTheLog(stage, grace)
  stage.tell.act('The end')
  stage.tell.say(`That took ${((performance.now() - began) / 1000).toFixed(1)} s. Run it again: it uses fresh addresses.`)
}

/** Act 1: an enrolment breaks off, and the account is left alone while the person may still be trying. */
const breakOff = async (stage: Stage, address: string): Promise<void> => {
  const { tell } = stage
  tell.act('Ada is invited, opens her link, and her ceremony breaks off')
  const testerId = await stage.invite(address)
  const mail = await stage.mailbox.next(address)
  tell.fact('mail to her', `"${mail.subject}"`)
  const ada = createPerson(stage.client, mail.link)
  await ada.open()
  tell.did('POST /api/v1/enrolment/open', 'the link is used now')
  const { position } = await ada.options()
  tell.did('POST /api/v1/enrolment/options', 'a challenge; her browser crashes before the answer')
  stage.saw(position)

  const { ghost_state: state, becomes_ghost_at: at } = await stage.tester(testerId)
  tell.fact('ghost state', state ?? 'none')
  tell.fact('becomes a ghost at', at ?? 'never')
  await stage.refused(`${TESTERS}/${testerId}/resend`, {}, 'token_used')
  await stage.refused(`${TESTERS}/${testerId}/ghost-reset`, { reason: 'Demo: in too much of a hurry' }, 'mid_enrollment')
}

/** Act 2: a tester comes from the existing beta as she stood an hour ago. */
const importGhost = async (stage: Stage, address: string): Promise<string> => {
  const { tell } = stage
  tell.act('Grace comes from the old beta; her ceremony broke off an hour ago')
  const ago = (minutes: number) => new Date(Date.now() - minutes * 60_000).toISOString()
  const testerId = await stage.importOne({
    email: address, invited_at: ago(90), token_consumed_at: ago(60), user_created_at: ago(60), passkeys: 0
  })
  const { rule, threshold_ms: threshold, evidence, evaluated_at_position: position } = await stage.ghostCheck(testerId)
  tell.fact('by the rule', `${rule}, ${threshold / 60_000} minutes`)
  for (const { type, occurred_at: at } of evidence) tell.fact('evidence', `${at}  ${type}`)
  tell.fact('judged at position', position)
  return testerId
}

/** Act 3: the reset, bound to the verdict that the console shows. */
const resetGhost = async (stage: Stage, testerId: string): Promise<void> => {
  const { tell } = stage
  tell.act('An operator resets the ghost')
  const { verdict } = await stage.tester(testerId)
  for (const { type, occurred_at: at } of verdict?.evidence ?? []) tell.fact('what the console shows', `${at}  ${type}`)
  await stage.reset(testerId, { reason: 'Demo: the ceremony broke off an hour ago', evaluated_at_position: verdict?.evaluated_at_position })
}

/** Act 4: the fresh link leads to a passkey. */
const enrol = async (stage: Stage, testerId: string, address: string): Promise<void> => {
  const { tell } = stage
  tell.act('Grace opens the fresh link and enrols with a passkey')
  const mail = await stage.mailbox.next(address)
  tell.fact('mail to her', `"${mail.subject}"`)
  const grace = createPerson(stage.client, mail.link)
  await grace.open()
  tell.did('POST /api/v1/enrolment/open', 'the fresh link is used now')
  const { body } = await grace.options()
  const { position } = await grace.register(body.public_key)
  tell.did('POST /api/v1/enrolment/verify', 'her passkey is registered')
  stage.saw(position)
  tell.fact('ghost state', (await stage.tester(testerId)).ghost_state ?? 'none')
  await stage.refused(`${TESTERS}/${testerId}/ghost-reset`, { reason: 'Demo: never on a healthy account' }, 'account_healthy')
}

/** Act 5: the same, as the auditor reads it. */
const readTheLog = async (stage: Stage, testerId: string): Promise<void> => {
  stage.tell.act('The auditor reads what happened to Grace')
  stage.tell.rows(await stage.timeline(testerId))
}
