// `chancery consumers …`: who follows the lifecycle stream, and whom the service therefore waits for.
import { sure } from '../ask.ts'
import { Failure } from '../failures.ts'
import { jsonOption, keyOption, minPositionOption, type Family, type Json, type Listing } from '../verb.ts'

const PATH = '/api/v1/lobby/consumers'
const at = (...parts: string[]) => [PATH, ...parts.map(encodeURIComponent)].join('/')

interface Consumer { consumer: string, group: string, overdue_ms: number, status: string, registered_at: string, retired_at: string | null }
interface Repeatable extends Json { key?: string }

export const consumerVerbs: Family = (program, bind) => {
  const consumers = program.command('consumers').description('Services that follow the lifecycle stream.')

  const list = consumers.command('list').description('Lists consumers, retired ones too.').addOption(minPositionOption()).addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Listing) => {
    const rows: string[][] = []
    for await (const item of client.pages<Consumer>(PATH, {}, options.minPosition)) {
      if (options.json === true) terminal.json(item)
      else rows.push([item.consumer, item.group, item.status, `${item.overdue_ms} ms`, item.registered_at, item.retired_at ?? '-'])
    }
    if (options.json !== true) terminal.table(['CONSUMER', 'GROUP', 'STATUS', 'OVERDUE AFTER', 'REGISTERED', 'RETIRED'], rows)
    return 'done'
  })

  const register = consumers.command('register').argument('<name>')
    .description('Makes a consumer known, or changes its group or its time. From then on the stream keeps what it has not acknowledged.')
    .option('--group <group>', 'its consumer group in Redis; default: its name')
    .option('--overdue-ms <ms>', 'an entry without a receipt is overdue after so long', '3600000')
    .addOption(keyOption()).addOption(jsonOption())
  bind(register, async ({ client, terminal }, name: string, options: Repeatable & { group?: string, overdueMs: string }) => {
    if (!/^\d{1,12}$/.test(options.overdueMs)) throw new Failure('usage', '--overdue-ms is a number of milliseconds.')
    const { body } = await client.request<Consumer>('PUT', at(name), { key: options.key, body: { group: options.group ?? name, overdue_ms: Number(options.overdueMs) } })
    if (options.json === true) terminal.json(body)
    else terminal.line(`registered: consumer ${name} with group ${body.group}`)
    return 'done'
  })

  const retire = consumers.command('retire').argument('<name>')
    .description('Waits for this consumer no more: the stream may lose what it has not read.')
    .requiredOption('--reason <text>', 'why; recorded, sealed')
    .option('--ticket <ticket>', 'where it was decided').addOption(keyOption()).addOption(jsonOption())
  bind(retire, async ({ client, terminal, surroundings }, name: string, options: Repeatable & { reason: string, ticket?: string }) => {
    if (!await sure(`Wait for ${name} no more? What it has not read may be trimmed.`, surroundings)) throw new Failure('refused', 'Nothing was changed.')
    const { body } = await client.request<Consumer>('POST', at(name, 'retire'), { key: options.key, body: { reason: options.reason, ...options.ticket !== undefined && { ticket: options.ticket } } })
    if (options.json === true) terminal.json(body)
    else {
      terminal.line(`retired: consumer ${name}`)
      terminal.note(`The publisher takes its group ${body.group} out of Redis within a minute. Stop its members: they would make it again.`)
    }
    return 'done'
  })
}
