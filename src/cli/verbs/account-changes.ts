// `chancery accounts sanction|remove-sanction|limit|remove-limit|tariff|delete`: what operators decide about an account.
import { Option, type Command } from 'commander'
import { Failure } from '../failures.ts'
import { sure } from '../ask.ts'
import { jsonOption, keyOption, ticketOption, type Bind, type Json } from '../verb.ts'
import { accountPath } from './account-path.ts'

interface Why extends Json { key?: string, reasonCode: string, reason?: string, ticket?: string }
interface SanctionOptions extends Why { scope?: string, publicNote?: string, internalNote?: string, evidence?: string, startsAt?: string, expiresAt?: string }
interface Act { at: string, reason_code: string | null }
interface Sanction { sanction_id: string, code: string, scope: string, state: string, starts_at: string, expires_at: string | null, applied: Act, removed: Act | null }
interface TariffOptions extends Why { since?: string, until?: string }

/** The free text of these is optional: the word says why in clear, for the person and for services downstream. */
const withWhy = (command: Command): Command => command
  .requiredOption('--reason-code <word>', 'why, as a word; kept in clear')
  .addOption(new Option('--reason <text>', 'why, in your words; kept sealed in the log'))
  .addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())

const whyOf = ({ reasonCode, reason, ticket }: Why) => ({
  reason_code: reasonCode, ...reason !== undefined && { reason }, ...ticket !== undefined && { ticket }
})

export const changeVerbs = (accounts: Command, bind: Bind): void => {
  sanctionVerbs(accounts, bind)
  limitVerbs(accounts, bind)
  tariffVerb(accounts, bind)
  deleteVerb(accounts, bind)
}

const sanctionVerbs = (accounts: Command, bind: Bind): void => {
  const sanction = withWhy(accounts.command('sanction').argument('<user>').argument('<code>')
    .description('Applies a sanction. permanent_block takes everything away, and downstream services are told.')
    .option('--scope <scope>', 'platform (the default) or game:<id>')
    .option('--public-note <text>', 'for the person; kept sealed')
    .option('--internal-note <text>', 'for operators; kept sealed')
    .option('--evidence <text>', 'for operators; kept sealed')
    .option('--starts-at <time>', 'ISO 8601 in UTC; default: now')
    .option('--expires-at <time>', 'ISO 8601 in UTC; default: when it is removed'))
  bind(sanction, async ({ client, terminal }, user: string, code: string, options: SanctionOptions) => {
    const { scope, publicNote, internalNote, evidence, startsAt, expiresAt } = options
    const { body } = await client.request<{ sanction_id: string }>('POST', accountPath(user, 'sanctions'), {
      key: options.key,
      body: {
        code,
        ...whyOf(options),
        ...scope !== undefined && { scope },
        ...publicNote !== undefined && { public_note: publicNote },
        ...internalNote !== undefined && { internal_note: internalNote },
        ...evidence !== undefined && { evidence },
        ...startsAt !== undefined && { starts_at: startsAt },
        ...expiresAt !== undefined && { expires_at: expiresAt }
      }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`sanctioned: account ${user} by ${code}, ${body.sanction_id}`)
    return 'done'
  })

  const list = accounts.command('sanctions').argument('<user>').description('Lists all sanctions that an account ever had.').addOption(jsonOption())
  bind(list, async ({ client, terminal }, user: string, options: Json) => {
    const { body } = await client.request<{ items: Sanction[] }>('GET', accountPath(user, 'sanctions'))
    if (options.json === true) for (const item of body.items) terminal.json(item)
    else {
      terminal.table(['SANCTION', 'CODE', 'SCOPE', 'STATE', 'FROM', 'UNTIL', 'REASON CODE'], body.items.map((item) =>
        [item.sanction_id, item.code, item.scope, item.state, item.starts_at, item.removed?.at ?? item.expires_at ?? '-', item.applied.reason_code ?? '-']))
    }
    return 'done'
  })

  const remove = withWhy(accounts.command('remove-sanction').argument('<user>').argument('<sanction>').description('Removes a sanction before its time.'))
  bind(remove, async ({ client, terminal }, user: string, sanctionId: string, options: Why) => {
    const { body } = await client.request('POST', accountPath(user, 'sanctions', sanctionId, 'remove'), { key: options.key, body: whyOf(options) })
    if (options.json === true) terminal.json(body)
    else terminal.line(`removed: sanction ${sanctionId} on account ${user}`)
    return 'done'
  })
}

const limitVerbs = (accounts: Command, bind: Bind): void => {
  const limit = withWhy(accounts.command('limit').argument('<user>').argument('<code>').argument('<value>').description('Sets a limit of the account.'))
  bind(limit, async ({ client, terminal }, user: string, code: string, value: string, options: Why) => {
    if (!/^\d+$/.test(value)) throw new Failure('usage', `A limit is a whole number, and "${value}" is none.`)
    const { body } = await client.request('POST', accountPath(user, 'limits'), { key: options.key, body: { code, value: Number(value), ...whyOf(options) } })
    if (options.json === true) terminal.json(body)
    else terminal.line(`limited: account ${user} to ${value} (${code})`)
    return 'done'
  })

  const unlimit = withWhy(accounts.command('remove-limit').argument('<user>').argument('<code>').description('Removes a limit: the default holds again.'))
  bind(unlimit, async ({ client, terminal }, user: string, code: string, options: Why) => {
    const { body } = await client.request('POST', accountPath(user, 'limits', code, 'remove'), { key: options.key, body: whyOf(options) })
    if (options.json === true) terminal.json(body)
    else terminal.line(`removed: limit ${code} of account ${user}`)
    return 'done'
  })
}

const tariffVerb = (accounts: Command, bind: Bind): void => {
  const tariff = withWhy(accounts.command('tariff').argument('<user>').argument('<code>')
    .description('Puts the account on a tariff.')
    .option('--since <time>', 'ISO 8601 in UTC; default: now').option('--until <time>', 'ISO 8601 in UTC; default: until it is changed'))
  bind(tariff, async ({ client, terminal }, user: string, code: string, options: TariffOptions) => {
    const { body } = await client.request('POST', accountPath(user, 'tariff'), {
      key: options.key,
      body: { code, ...whyOf(options), ...options.since !== undefined && { since: options.since }, ...options.until !== undefined && { until: options.until } }
    })
    if (options.json === true) terminal.json(body)
    else terminal.line(`account ${user} is on ${code}`)
    return 'done'
  })
}

const deleteVerb = (accounts: Command, bind: Bind): void => {
  const remove = withWhy(accounts.command('delete').argument('<user>')
    .description('Deletes an account: it is gone for everybody outside, its record is erased after the cooling period, and downstream services are told. Cannot be undone.'))
  bind(remove, async ({ client, terminal, surroundings }, user: string, options: Why) => {
    if (!await sure(`Delete account ${user}? This cannot be undone.`, surroundings)) throw new Failure('refused', 'Nothing was deleted.')
    const { body } = await client.request<{ purge_after: string }>('POST', `/api/v1/internal/users/${encodeURIComponent(user)}/delete`, { key: options.key, body: whyOf(options) })
    if (options.json === true) terminal.json(body)
    else terminal.line(`deleted: account ${user}; its record is erased after ${body.purge_after}`)
    return 'done'
  })
}
