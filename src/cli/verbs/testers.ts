// `chancery testers …`: invite, look, send the link again, reset one ghost, delete.
import type { Command } from 'commander'
import { reasonFor } from '../ask.ts'
import { jsonOption, keyOption, minPositionOption, reasonOption, ticketOption, type Bind, type Family, type Json, type Listing } from '../verb.ts'
import { printTester, type TesterPage } from './tester-page.ts'

export const TESTERS = '/api/v1/console/beta/testers'

/** One tester as the console lists it; the fields that the command line prints. */
export interface Tester {
  tester_id: string
  email: string | null
  ghost_state: string | null
}

export interface ResetAnswer { tester_id: string, reset_id: string, state: string, mail: string, position: string }

interface Repeatable extends Json { key?: string }
interface ResetOptions extends Repeatable { reason?: string, reasonCode?: string, ticket?: string, evaluatedAtPosition?: string }

export const testerVerbs: Family = (program, bind) => {
  const testers = program.command('testers').description('Beta testers: invite, look, send the link again, reset a ghost, delete.')
  inviteVerb(testers, bind)
  readVerbs(testers, bind)
  resendVerb(testers, bind)
  resetVerb(testers, bind)
  deleteVerb(testers, bind)
}

const deleteVerb = (testers: Command, bind: Bind): void => {
  const remove = testers.command('delete').argument('<tester>')
    .description('Deletes a tester: the links stop working, the address stays taken, and the person is erased after the cooling period.')
    .addOption(reasonOption()).option('--reason-code <word>', 'kept in clear').addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(remove, async ({ client, terminal, surroundings }, tester: string, options: ResetOptions) => {
    const { body } = await client.request<{ purge_after: string }>('POST', `${TESTERS}/${encodeURIComponent(tester)}/delete`, {
      key: options.key,
      body: {
        reason: await reasonFor(options.reason, 'the deletion', surroundings),
        ...options.reasonCode !== undefined && { reason_code: options.reasonCode }, ...options.ticket !== undefined && { ticket: options.ticket }
      }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`deleted: tester ${tester}, to be erased after ${body.purge_after}`)
    return 'done'
  })
}

const inviteVerb = (testers: Command, bind: Bind): void => {
  const invite = testers.command('invite').argument('<email>')
    .description('Reserves the address, mints a walkthrough link and mails it.')
    .option('--name <name>', "the tester's name; sealed in the log")
    .addOption(keyOption()).addOption(jsonOption())
  bind(invite, async ({ client, terminal }, email: string, options: Repeatable & { name?: string }) => {
    const { body } = await client.request<Tester>('POST', TESTERS, {
      body: { email, ...options.name !== undefined && { name: options.name } }, key: options.key
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`invited: tester ${body.tester_id}`)
    return 'done'
  })
}

const readVerbs = (testers: Command, bind: Bind): void => {
  const list = testers.command('list')
    .description('Lists testers with their ghost state.')
    .option('--ghost-state <state>', 'only this state')
    .option('--email <address>', 'only this exact address')
    .addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Listing & { ghostState?: string, email?: string }) => {
    const rows: string[][] = []
    for await (const tester of client.pages<Tester>(TESTERS, { ghost_state: options.ghostState, email: options.email }, options.minPosition)) {
      if (options.json === true) terminal.json(tester)
      else rows.push([tester.tester_id, tester.ghost_state ?? '-', tester.email ?? '(erased)'])
    }
    if (options.json !== true) terminal.table(['TESTER', 'GHOST STATE', 'E-MAIL'], rows)
    return 'done'
  })

  const show = testers.command('show').argument('<tester>')
    .description('Shows one tester with the evidence of the ghost state and the timeline.')
    .addOption(minPositionOption()).addOption(jsonOption())
  bind(show, async ({ client, terminal }, tester: string, options: Listing) => {
    const { body } = await client.request<TesterPage>('GET', `${TESTERS}/${encodeURIComponent(tester)}`, { minPosition: options.minPosition })
    if (options.json === true) terminal.json(body)
    else printTester(terminal, body)
    return 'done'
  })
}

const resendVerb = (testers: Command, bind: Bind): void => {
  const resend = testers.command('resend').argument('<tester>')
    .description('Mails the unused link again. A used link is refused (token_used): reset the ghost instead.')
    .addOption(keyOption()).addOption(jsonOption())
  bind(resend, async ({ client, terminal }, tester: string, options: Repeatable) => {
    const { body } = await client.request<Record<string, unknown>>('POST', `${TESTERS}/${encodeURIComponent(tester)}/resend`, { body: {}, key: options.key })
    if (options.json === true) terminal.json(body)
    else terminal.line(`sent again: tester ${tester}`)
    return 'done'
  })
}

const resetVerb = (testers: Command, bind: Bind): void => {
  const reset = testers.command('reset').argument('<tester>')
    .description('Resets one ghost: deletes the shell, revokes the old link, mails a fresh one. Asking again goes on where a reset stopped.')
    .addOption(reasonOption()).option('--reason-code <word>', 'kept in clear').addOption(ticketOption())
    .option('--evaluated-at-position <position>', 'refuse (verdict_stale) if the account moved since this verdict')
    .addOption(keyOption()).addOption(jsonOption())
  bind(reset, async ({ client, terminal, surroundings }, tester: string, options: ResetOptions) => {
    const reason = await reasonFor(options.reason, 'a ghost reset', surroundings)
    const { body } = await client.request<ResetAnswer>('POST', `${TESTERS}/${encodeURIComponent(tester)}/ghost-reset`, {
      key: options.key,
      body: {
        reason,
        ...options.reasonCode !== undefined && { reason_code: options.reasonCode },
        ...options.ticket !== undefined && { ticket: options.ticket },
        ...options.evaluatedAtPosition !== undefined && { evaluated_at_position: options.evaluatedAtPosition }
      }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`reset: tester ${tester} was ${body.state}; mail: ${body.mail}`)
    return 'done'
  })
}
