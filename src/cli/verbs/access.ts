// `chancery principals …` and `chancery tokens …`: who may call, with which roles and tokens.
import type { Command } from 'commander'
import { Option } from 'commander'
import { jsonOption, keyOption, minPositionOption, type Bind, type Family, type Json, type Listing } from '../verb.ts'

const PATH = '/api/v1/principals'
const at = (...parts: string[]) => [PATH, ...parts.map(encodeURIComponent)].join('/')

interface Repeatable extends Json { key?: string }
interface Principal { principal_id: string, kind: string, name: string | null, roles: string[], [key: string]: unknown }
interface Token { token_id: string, label?: string | null, issued_at: string, expires_at?: string | null, revoked_at?: string | null, usable?: boolean, token?: string, [key: string]: unknown }

export const accessVerbs: Family = (program, bind) => {
  const principals = program.command('principals').description('Who may call: people at the console and services.')
  createVerb(principals, bind)
  listVerbs(principals, bind)
  roleVerbs(principals, bind)
  const tokens = program.command('tokens').description('Access tokens of a principal.')
  tokenVerbs(tokens, bind)
}

const createVerb = (principals: Command, bind: Bind): void => {
  const create = principals.command('create').argument('<name>')
    .description('Makes a principal known. It has no token yet.')
    .addOption(new Option('--kind <kind>', 'a person or a program').choices(['operator', 'service']).default('operator'))
    .option('--role <role...>', 'roles from the start on')
    .addOption(keyOption()).addOption(jsonOption())
  bind(create, async ({ client, terminal }, name: string, options: Repeatable & { kind: string, role?: string[] }) => {
    const { body } = await client.request<Principal>('POST', PATH, { body: { name, kind: options.kind, ...options.role !== undefined && { roles: options.role } }, key: options.key })
    if (options.json === true) terminal.json(body)
    else terminal.line(`created: principal ${body.principal_id}`)
    return 'done'
  })
}

const listVerbs = (principals: Command, bind: Bind): void => {
  const list = principals.command('list').description('Lists principals with their roles.').addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Listing) => {
    const rows: string[][] = []
    for await (const principal of client.pages<Principal>(PATH, {}, options.minPosition)) {
      if (options.json === true) terminal.json(principal)
      else rows.push([principal.principal_id, principal.kind, principal.roles.join(' ') || '-', principal.name ?? '-'])
    }
    if (options.json !== true) terminal.table(['PRINCIPAL', 'KIND', 'ROLES', 'NAME'], rows)
    return 'done'
  })
  const show = principals.command('show').argument('<principal>').description('Shows one principal.')
  bind(show, async ({ client, terminal }, principal: string) => {
    const { body } = await client.request('GET', at(principal))
    terminal.line(JSON.stringify(body, undefined, 2))
    return 'done'
  })
}

const roleVerbs = (principals: Command, bind: Bind): void => {
  const grant = principals.command('grant').argument('<principal>').argument('<role>')
    .description('Grants a role; it holds from the next request on.').addOption(keyOption()).addOption(jsonOption())
  bind(grant, async ({ client, terminal }, principal: string, role: string, options: Repeatable) => {
    const { body } = await client.request('PUT', at(principal, 'roles', role), { body: {}, key: options.key })
    if (options.json === true) terminal.json(body)
    else terminal.line(`granted: ${role} to ${principal}`)
    return 'done'
  })
  const revoke = principals.command('revoke').argument('<principal>').argument('<role>')
    .description('Takes a role away; the next request is refused, in every process.').addOption(keyOption()).addOption(jsonOption())
  bind(revoke, async ({ client, terminal }, principal: string, role: string, options: Repeatable) => {
    const { body } = await client.request('DELETE', at(principal, 'roles', role), { key: options.key })
    if (options.json === true) terminal.json(body)
    else terminal.line(`revoked: ${role} from ${principal}`)
    return 'done'
  })
}

const tokenVerbs = (tokens: Command, bind: Bind): void => {
  const make = tokens.command('new').argument('<principal>')
    .description('Makes an access token and prints it once: it is not kept and cannot be shown again.')
    .option('--label <word>', 'to tell tokens apart').option('--expires-at <time>', 'ISO 8601 in UTC; default: never')
    .addOption(keyOption()).addOption(jsonOption())
  bind(make, async ({ client, terminal }, principal: string, options: Repeatable & { label?: string, expiresAt?: string }) => {
    const { body } = await client.request<Token>('POST', at(principal, 'tokens'), {
      body: { ...options.label !== undefined && { label: options.label }, ...options.expiresAt !== undefined && { expires_at: options.expiresAt } },
      key: options.key
    })
    if (options.json === true) terminal.json(body)
    else if (body.token === undefined) {
      terminal.note(`Token ${body.token_id} was made by the first request with this key, and shown then. Revoke it and make another if it was lost.`)
    } else {
      terminal.note(`token ${body.token_id}, shown this once:`)
      terminal.line(body.token)
    }
    return 'done'
  })
  const list = tokens.command('list').argument('<principal>').description("Lists a principal's tokens, without their secret.").addOption(jsonOption())
  bind(list, async ({ client, terminal }, principal: string, options: Json) => {
    const rows: string[][] = []
    for await (const token of client.pages<Token>(at(principal, 'tokens'))) {
      if (options.json === true) terminal.json(token)
      else rows.push([token.token_id, token.label ?? '-', token.issued_at, token.expires_at ?? 'never', token.revoked_at ?? '-', token.usable === true ? 'yes' : 'no'])
    }
    if (options.json !== true) terminal.table(['TOKEN', 'LABEL', 'ISSUED', 'EXPIRES', 'REVOKED', 'USABLE'], rows)
    return 'done'
  })
  const revoke = tokens.command('revoke').argument('<principal>').argument('<token-id>')
    .description('Revokes a token; the next request with it is refused, in every process.').addOption(keyOption()).addOption(jsonOption())
  bind(revoke, async ({ client, terminal }, principal: string, token: string, options: Repeatable) => {
    const { body } = await client.request('DELETE', at(principal, 'tokens', token), { key: options.key })
    if (options.json === true) terminal.json(body)
    else terminal.line(`revoked: token ${token}`)
    return 'done'
  })
}
