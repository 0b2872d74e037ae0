// `chancery accounts hold|holds|lift-hold`: legal holds, which keep a deleted record from being erased.
import type { Command } from 'commander'
import { reasonFor } from '../ask.ts'
import { jsonOption, keyOption, reasonOption, ticketOption, type Bind, type Json } from '../verb.ts'
import { accountPath } from './account-path.ts'

interface Act { at: string }
interface Hold { hold_id: string, matter: string, until: string | null, in_force: boolean, placed: Act, lifted: Act | null }
interface PlaceOptions extends Json { key?: string, reason?: string, reasonCode: string, matter: string, until?: string, ticket?: string }
interface LiftOptions extends Json { key?: string, reason?: string, reasonCode: string, ticket?: string }

export const holdVerbs = (accounts: Command, bind: Bind): void => {
  const hold = accounts.command('hold').argument('<user>')
    .description('Places a legal hold: the record is not erased while it is in force, also where it is deleted already.')
    .requiredOption('--matter <id>', 'names the matter; stays readable after the erasure, so nothing personal')
    .requiredOption('--reason-code <word>', 'kept in clear')
    .addOption(reasonOption())
    .option('--until <time>', 'ends by itself then (ISO 8601 in UTC); default: when it is lifted')
    .addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(hold, async ({ client, terminal, surroundings }, user: string, options: PlaceOptions) => {
    const { body } = await client.request<{ hold_id: string }>('POST', accountPath(user, 'legal-holds'), {
      key: options.key,
      body: {
        reason: await reasonFor(options.reason, 'a legal hold', surroundings), reason_code: options.reasonCode, matter: options.matter,
        ...options.until !== undefined && { until: options.until }, ...options.ticket !== undefined && { ticket: options.ticket }
      }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`held: account ${user} by ${body.hold_id}`)
    return 'done'
  })

  const holds = accounts.command('holds').argument('<user>').description('Lists the legal holds on an account, with those that were lifted.').addOption(jsonOption())
  bind(holds, async ({ client, terminal }, user: string, options: Json) => {
    const { body } = await client.request<{ items: Hold[] }>('GET', accountPath(user, 'legal-holds'))
    if (options.json === true) terminal.json(body)
    else {
      terminal.table(['HOLD', 'MATTER', 'IN FORCE', 'PLACED', 'UNTIL', 'LIFTED'], body.items.map((item) =>
        [item.hold_id, item.matter, item.in_force ? 'yes' : 'no', item.placed.at, item.until ?? '-', item.lifted?.at ?? '-']))
    }
    return 'done'
  })

  const lift = accounts.command('lift-hold').argument('<user>').argument('<hold>')
    .description('Lifts a legal hold.')
    .requiredOption('--reason-code <word>', 'kept in clear').addOption(reasonOption()).addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(lift, async ({ client, terminal, surroundings }, user: string, holdId: string, options: LiftOptions) => {
    const { body } = await client.request('POST', accountPath(user, 'legal-holds', holdId, 'lift'), {
      key: options.key,
      body: {
        reason: await reasonFor(options.reason, 'lifting a legal hold', surroundings), reason_code: options.reasonCode,
        ...options.ticket !== undefined && { ticket: options.ticket }
      }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`lifted: hold ${holdId} on account ${user}`)
    return 'done'
  })
}
