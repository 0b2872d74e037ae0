// `chancery projections …`: the read models, filled anew beside the serving ones or checked against the log.
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { Failure } from '../failures.ts'
import { jsonOption, type Bind, type Family, type Json, type Tools } from '../verb.ts'

const PATH = '/api/v1/operations/projections'

interface Projection {
  name: string
  version: number
  generation: number
  status: string
  lag: number | 'unknown'
  position: string
  alarm?: { message: string, hint: string }
}

interface Operation {
  operation_id: string
  projection: string
  kind: 'rebuild' | 'verify'
  status: 'running' | 'done' | 'aborted' | 'failed'
  /** Positions in the log. */
  done: number
  total: number
  /** Rows; only of a verification. */
  differences?: number
  result?: { rows: number, samples: Array<{ table: string, kind: string, key: string }> }
  detail?: string
}

export const projectionVerbs: Family = (program, bind) => {
  const projections = program.command('projections').description('The read models: list, rebuild, verify.')
  const list = projections.command('list').description('Lists the read models with their version, position and lag.').addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Json) => {
    const { body } = await client.request<{ items: Projection[] }>('GET', PATH)
    if (options.json === true) for (const item of body.items) terminal.json(item)
    else {
      terminal.table(['PROJECTION', 'VERSION', 'GENERATION', 'STATUS', 'BEHIND', 'POSITION'], body.items.map(
        ({ name, version, generation, status, lag, position }) => [name, String(version), String(generation), status, lag === 'unknown' ? lag : `${lag} ms`, position]))
      for (const { name, alarm } of body.items) if (alarm !== undefined) terminal.note(`${name}: ${alarm.message} ${alarm.hint}`)
    }
    return body.items.some(({ alarm }) => alarm !== undefined) ? 'findings' : 'done'
  })
  operationVerb(projections, bind, 'rebuild', 'Fills the read model anew beside the serving one, then switches.')
  operationVerb(projections, bind, 'verify', 'Folds the log again and compares with the read model byte for byte. Exit code 5 if they differ.')
}

const operationVerb = (projections: Command, bind: Bind, kind: Operation['kind'], description: string): void => {
  const verb = projections.command(kind).argument('<name>')
    .description(`${description} It runs in the service: interrupted here, it goes on there, and asking again joins it.`)
    .addOption(jsonOption())
  bind(verb, async (tools, name: string, options: Json) => {
    const operation = await follow(tools, kind, name)
    if (options.json === true) tools.terminal.json(operation)
    else for (const { table, kind, key } of operation.result?.samples ?? []) tools.terminal.line(`${kind}  ${table}  ${key}`)
    if (operation.status !== 'done') throw new Failure('refused', `The ${kind} of ${name} was ${operation.status}. ${operation.detail ?? ''}`.trim())
    return (operation.differences ?? 0) > 0 ? 'findings' : 'done'
  })
}

/** Milliseconds between two looks at a running operation. */
const LOOK = 200

/** Starts or joins an operation and waits for its end. Ctrl-C ends the waiting, not the operation. */
const follow = async ({ client, terminal, surroundings }: Tools, kind: Operation['kind'], name: string): Promise<Operation> => {
  const { signal } = surroundings
  let { body: operation } = await client.request<Operation>('POST', `${PATH}/${encodeURIComponent(name)}/${kind}`, { body: {} })
  const bar = terminal.bar(`${kind} ${name}`)
  try {
    while (operation.status === 'running') {
      bar.at(operation.done, operation.total, `position ${operation.done} of ${operation.total}`)
      await pause(LOOK, undefined, { signal }).catch(() => { throw new Failure('refused', `Not waited for: the ${kind} goes on in the service.`) })
      operation = (await client.request<Operation>('GET', `${PATH}/operations/${operation.operation_id}`)).body
    }
  } finally {
    bar.stop(`${kind} ${name}: ${inWords(operation)}`)
  }
  return operation
}

const inWords = ({ status, kind, differences, result, done }: Operation): string => {
  if (status !== 'done') return `${status}, at position ${done}`
  if (kind === 'rebuild') return `done, up to position ${done}`
  return `${result?.rows ?? 0} rows compared, ${differences ?? 0} differ`
}
