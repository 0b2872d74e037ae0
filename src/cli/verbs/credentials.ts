// `chancery credentials …`: which credentials there are and which are due, their manifests, and the values in use.
import { readFile } from 'node:fs/promises'
import { Option, type Command } from 'commander'
import { reasonFor } from '../ask.ts'
import type { Client } from '../client.ts'
import { Failure, mistakes, ProblemFailure } from '../failures.ts'
import { credentialPath, type InventoryRow } from '../rotation-api.ts'
import { jsonOption, keyOption, minPositionOption, reasonOption, ticketOption, type Bind, type Family, type Json, type Listing } from '../verb.ts'
import { printCredential, type CredentialPage } from './credentials-page.ts'
import { template, vendorKinds } from './credentials-template.ts'
import { readValue, unread, valueFileOption } from './credential-value.ts'
import { readCredential, ticketNote } from './rotations-job.ts'

interface PutOptions extends Json { manifest: string, reason?: string, ticket?: string, ifMatch?: string, key?: string }
interface AdoptOptions extends Json { valueFile?: string, vendorTokenId?: string, expiresAt?: string, reason?: string, key?: string }

export const credentialVerbs: Family = (program, bind) => {
  const credentials = program.command('credentials')
    .description('Credentials of vendors: which there are and which are due (list, the default), template, put, adopt, show. Rotating one: chancery rotate.')
    .addHelpText('after', `
Before: what mints is an account of CHANCERY_VENDOR_ACCOUNTS_FILE (or another credential), and each consumer has a
principal with the role consumer:NAME, whose service registers its key (docs: kits/credentials).
Then a credential becomes rotatable in four steps:
  chancery credentials template http > billing.json      then fill in what it leaves open
  chancery credentials put billing --manifest billing.json
  chancery credentials adopt billing --vendor-token-id ID  hands the value in use to the vault, and says what the vendor calls it
  chancery rotate billing`)
  listVerb(credentials, bind)
  templateVerb(credentials, bind)
  putVerb(credentials, bind)
  adoptVerb(credentials, bind)
  showVerb(credentials, bind)
}

const listVerb = (credentials: Command, bind: Bind): void => {
  const list = credentials.command('list', { isDefault: true })
    .description('Lists credentials, those due first. Exit code 5 if one is overdue.')
    .option('--due', 'only those that are due').addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Listing & { due?: boolean }) => {
    const rows: InventoryRow[] = []
    for await (const row of client.pages<InventoryRow>(credentialPath(), { due: options.due }, options.minPosition)) {
      if (options.json === true) terminal.json(row)
      rows.push(row)
    }
    if (options.json !== true) {
      if (rows.length === 0) terminal.note(options.due === true ? 'None is due.' : 'There are none yet. chancery credentials --help says how one gets here.')
      else {
        terminal.table(['CREDENTIAL', 'DUE', 'LAST ROTATED', 'AGE', 'VENDOR', 'SENSITIVITY', 'OWNER', 'OPEN ROTATION'], rows.map((row) => [
          row.credential, row.overdue ? `overdue since ${day(row.due_at)}` : day(row.due_at), day(row.last_completed_at), row.age_days === null ? '-' : `${row.age_days} days`,
          row.vendor, row.sensitivity, row.owner_name ?? '-', row.open_rotation?.state ?? '-'
        ]))
      }
    }
    return rows.some(({ overdue }) => overdue) ? 'findings' : 'done'
  })
}

/** Of a time, what an inventory needs. */
const day = (time: string | null): string => time === null ? '-' : time.slice(0, 10)

const templateVerb = (credentials: Command, bind: Bind): void => {
  const print = credentials.command('template')
    .argument('<kind>', `kind of vendor: ${vendorKinds.join(', ')}`)
    .description('Prints a manifest to fill in. Sends nothing.')
  bind(print, async ({ terminal }, kind: string) => {
    terminal.line(template(kind))
    return 'done'
  })
}

const putVerb = (credentials: Command, bind: Bind): void => {
  const put = credentials.command('put').argument('<name>')
    .description('Puts a version of the manifest: vendor, owner, when it is due, and who uses it. It is checked whole, and holds for an open rotation too.')
    .requiredOption('--manifest <file>', 'JSON file; chancery credentials template prints one to begin with')
    .addOption(reasonOption()).addOption(ticketOption())
    .addOption(new Option('--if-match <revision>', 'refuse if somebody changed it since it was shown with this revision'))
    .addOption(keyOption()).addOption(jsonOption())
  bind(put, async ({ client, terminal, surroundings }, name: string, options: PutOptions) => {
    const manifest = await readJson(options.manifest)
    const reason = await reasonFor(options.reason, `the manifest of ${name}`, surroundings)
    try {
      const { body } = await client.request<{ manifest_version: number, ticket_check: 'open' | 'format' | null }>('PUT', credentialPath(name), {
        key: options.key,
        body: { manifest, reason, ...options.ticket !== undefined && { ticket: options.ticket } },
        ...options.ifMatch !== undefined && { ifMatch: `"${options.ifMatch}"` }
      })
      if (options.json === true) terminal.json(body)
      else {
        terminal.line(`put: manifest of ${name}, version ${body.manifest_version}`)
        for (const note of ticketNote(body, options)) terminal.note(note)
        terminal.note(await nextAfterPut(client, name))
      }
      return 'done'
    } catch (error) {
      if (error instanceof ProblemFailure && error.problem.code === 'manifest_invalid' && options.json !== true) {
        for (const line of mistakes(error.problem.fields['errors'])) terminal.note(`${options.manifest}: ${line.trim()}`)
      }
      throw error
    }
  })
}

/** What a manifest that was put leads to; whoever may put one may not be allowed to read it. */
const nextAfterPut = async (client: Client, name: string): Promise<string> => {
  const page = await readCredential(client, name).catch((error: unknown) => { if (error instanceof Failure) return undefined; throw error })
  if (page === undefined || page.value === null) return `Next, hand the value in use to the vault: chancery credentials adopt ${name}. Then: chancery rotate ${name}`
  return page.open_rotation === null ? `To rotate it: chancery rotate ${name}` : `It holds for the open rotation, too: chancery rotations show ${name}`
}

const readJson = async (file: string): Promise<unknown> => {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as unknown
  } catch (error) {
    throw new Failure('usage', error instanceof SyntaxError ? `${file} is not JSON: ${error.message}` : unread(file, error))
  }
}

const adoptVerb = (credentials: Command, bind: Bind): void => {
  const adopt = credentials.command('adopt').argument('<name>')
    .description('Hands the value in use to the vault, so that it can be rotated. The value is asked for and not shown, or comes from a file or standard input; never from the command line, which other users of this machine can read.')
    .addOption(valueFileOption())
    .option('--vendor-token-id <id>', 'what the vendor calls it, so that it can be told to revoke it; not needed where the value says so itself')
    .option('--expires-at <time>', 'ISO 8601 in UTC; default: what the manifest says of its lifetime')
    .addOption(reasonOption()).addOption(keyOption()).addOption(jsonOption())
  bind(adopt, async (tools, name: string, options: AdoptOptions) => {
    const { client, terminal, surroundings } = tools
    const value = await readValue(options.valueFile, `Value of ${name} (not shown)`, tools)
    const { body } = await client.request<object>('POST', credentialPath(name, 'value'), {
      key: options.key,
      body: {
        value,
        reason: await reasonFor(options.reason, `adopting the value of ${name}`, surroundings),
        ...options.vendorTokenId !== undefined && { vendor_token_id: options.vendorTokenId },
        ...options.expiresAt !== undefined && { expires_at: options.expiresAt }
      }
    })
    if (options.json === true) terminal.json(body)
    else {
      terminal.line(`adopted: the value of ${name} is in the vault`)
      terminal.note(`Whether it works is what the first stage asks the vendor: chancery rotate ${name}`)
    }
    return 'done'
  })
}

const showVerb = (credentials: Command, bind: Bind): void => {
  const show = credentials.command('show').argument('<name>')
    .description('Shows one credential: manifest, value in use (by the vendor\'s id and a fingerprint, never itself), open rotation.')
    .option('--manifest', 'print only the manifest, as put takes it').addOption(jsonOption())
  bind(show, async ({ client, terminal }, name: string, options: Json & { manifest?: boolean }) => {
    const { body, etag } = await client.request<CredentialPage>('GET', credentialPath(name))
    if (options.manifest === true) {
      terminal.line(JSON.stringify(body.manifest, undefined, 2))
      if (body.manifest.owner.name === null) terminal.note('The owner is not shown to you. Write name and email of the owner into it before it is put.')
    } else if (options.json === true) terminal.json(body)
    else printCredential(terminal, body, etag)
    return 'done'
  })
}
