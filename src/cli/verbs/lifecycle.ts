// `chancery lifecycle …`: the stream in Redis that downstream services follow: how it is, whether it is right, and begun anew.
import { setTimeout as pause } from 'node:timers/promises'
import { Option } from 'commander'
import { answerTo, reasonFor } from '../ask.ts'
import { Failure } from '../failures.ts'
import { jsonOption, keyOption, reasonOption, ticketOption, type Bind, type Family, type Json, type Tools } from '../verb.ts'

const PATH = '/api/v1/operations/lifecycle'

interface Verified {
  from: string
  to: string
  entries: number
  missing: number
  extra: number
  different: number
  out_of_order: number
  samples: Array<{ kind: string, entry_id: string, event_id: string }>
}

interface Lifecycle {
  stream: string
  publisher: null | {
    status: string
    cause?: string
    lag_entries: number | null
    lag_ms: number | null
    published: number
    failures: number
    overtaken: number
    fenced: number
    trimmed: number
    alarms: Array<{ message: string, hint: string }>
  }
  redis: null | {
    length: number
    first_entry_id: string | null
    last_entry_id: string | null
    stray_entry_id: string | null
    groups: string[]
    consumers: Array<{ consumer: string, group: string, acknowledged: string | null }>
  }
  epochs: { begun: number, open: null | { epoch_id: string, renamed_to: string } }
}

interface EpochOptions extends Json { stream?: string, reason?: string, ticket?: string, key?: string }

export const lifecycleVerbs: Family = (program, bind) => {
  const lifecycle = program.command('lifecycle').description('The stream of lifecycle entries in Redis: status, verify, epoch.')

  const status = lifecycle.command('status')
    .description('Shows the publisher, what Redis holds, and who follows it. Exit code 5 if somebody has to act.').addOption(jsonOption())
  bind(status, async ({ client, terminal }, options: Json) => {
    const { body } = await client.request<Lifecycle>('GET', PATH)
    if (options.json === true) terminal.json(body)
    else print(body, terminal)
    return needsSomebody(body) ? 'findings' : 'done'
  })

  const verify = lifecycle.command('verify')
    .description('Compares the stream with the log over the retained window. Exit code 5 if they differ.').addOption(jsonOption())
  bind(verify, async ({ client, terminal }, options: Json) => {
    const { body } = await client.request<Verified>('POST', `${PATH}/verify`, { body: {} })
    const { entries, missing, extra, different, out_of_order: outOfOrder, samples } = body
    if (options.json === true) terminal.json(body)
    else {
      terminal.line(`${entries} entries compared: ${missing} missing, ${extra} extra, ${different} different, ${outOfOrder} out of order.`)
      terminal.section(['FINDING', 'ENTRY', 'EVENT'], samples.map(({ kind, entry_id: entryId, event_id: eventId }) => [kind, entryId, eventId]))
    }
    return missing + extra + different + outOfOrder > 0 ? 'findings' : 'done'
  })

  epochVerb(lifecycle.command('epoch'), bind)
}

const epochVerb = (epoch: ReturnType<Parameters<Family>[0]['command']>, bind: Bind): void => {
  epoch.description('Puts the stream aside under another name and publishes the retained window into a new one. Consumers go on where they had acknowledged.')
    .addOption(new Option('--stream <name>', 'the name of the stream, typed to confirm')).addOption(reasonOption()).addOption(ticketOption()).addOption(keyOption()).addOption(jsonOption())
  bind(epoch, async (tools, options: EpochOptions) => {
    const { client, terminal, surroundings } = tools
    const { body: { stream } } = await client.request<Lifecycle>('GET', PATH)
    const typed = options.stream ?? await answerTo(`The stream ${stream} will be put aside. Type its name to confirm.`, 'an epoch needs --stream <its name>.', surroundings)
    if (typed !== stream) throw new Failure('usage', `That is not the name of the stream: ${stream}. Nothing was sent.`)
    const reason = await reasonFor(options.reason, 'beginning the stream anew', surroundings)
    const { body } = await client.request<{ epoch_id: string, renamed_to: string }>('POST', `${PATH}/epoch`, {
      key: options.key, body: { stream, reason, ...options.ticket !== undefined && { ticket: options.ticket } }
    })
    const after = await completed(tools)
    if (options.json === true) terminal.json({ ...body, ...after })
    else {
      terminal.line(`The old stream is ${body.renamed_to}; the new one holds ${after.redis?.length ?? 0} entries.`)
      terminal.note('Remove the old one when nobody needs it for evidence: it takes as much memory as before.')
    }
    return needsSomebody(after) ? 'findings' : 'done'
  })
}

/** Milliseconds between two looks. */
const LOOK = 200

/** Waits until the publishers have said that the new stream is there. Ctrl-C ends the waiting, not the epoch. */
const completed = async ({ client, surroundings: { signal } }: Tools): Promise<Lifecycle> => {
  for (;;) {
    const { body } = await client.request<Lifecycle>('GET', PATH)
    if (body.epochs.open === null) return body
    await pause(LOOK, undefined, { signal }).catch(() => { throw new Failure('refused', 'Not waited for: the epoch goes on in the service.') })
  }
}

const needsSomebody = ({ publisher, redis }: Lifecycle): boolean =>
  redis === null || redis.stray_entry_id !== null || (publisher !== null && (publisher.status !== 'ready' || publisher.alarms.length > 0))

const print = ({ stream, publisher, redis, epochs }: Lifecycle, terminal: Tools['terminal']): void => {
  terminal.line(`Stream ${stream}${redis === null ? ': Redis does not answer.' : `: ${redis.length} entries${redis.last_entry_id === null ? '' : `, the last ${redis.last_entry_id}`}.`}`)
  if (publisher !== null) {
    terminal.section(['PUBLISHER', 'BEHIND', 'PUBLISHED', 'FAILURES', 'OVERTAKEN', 'FENCED', 'TRIMMED'], [[
      publisher.cause === undefined ? publisher.status : `${publisher.status} (${publisher.cause})`,
      publisher.lag_entries === null ? 'unknown' : `${publisher.lag_entries} entries`,
      ...[publisher.published, publisher.failures, publisher.overtaken, publisher.fenced, publisher.trimmed].map(String)
    ]])
  }
  terminal.section(['CONSUMER', 'GROUP', 'ACKNOWLEDGED'], (redis?.consumers ?? []).map(({ consumer, group, acknowledged }) => [consumer, group, acknowledged ?? 'nothing yet']))
  if (epochs.open !== null) terminal.note(`An epoch is under way: the old stream goes to ${epochs.open.renamed_to}.`)
  for (const { message, hint } of publisher?.alarms ?? []) terminal.note(`${message} ${hint}`)
}
