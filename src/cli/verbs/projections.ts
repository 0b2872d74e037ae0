// `chancery projections …`: the read models, filled anew beside the serving ones or checked against the log.
import { setTimeout as pause } from 'node:timers/promises'
import type { Command } from 'commander'
import { Failure, type Exit } from '../failures.ts'
import { jsonOption, type Bind, type Family, type Json, type Tools } from '../verb.ts'

const PATH = '/api/v1/operations/projections'

interface Projection { name: string, version: number, status: string, lag: number | string, position: string, [key: string]: unknown }
interface Operation {
  operation_id: string
  kind: 'rebuild' | 'verify'
  projection: string
  status: 'running' | 'done' | 'failed'
  done: number
  total: number
  differences?: number
  detail?: string
  [key: string]: unknown
}

export const projectionVerbs: Family = (program, bind) => {
  const projections = program.command('projections').description('The read models: list, rebuild, verify.')
  const list = projections.command('list').description('Lists the read models with their version, position and lag.').addOption(jsonOption())
  bind(list, async ({ client, terminal }, options: Json) => {
    const { body } = await client.request<{ items: Projection[] }>('GET', PATH)
    if (options.json === true) for (const item of body.items) terminal.json(item)
    else {
      terminal.table(['PROJECTION', 'VERSION', 'STATUS', 'LAG', 'POSITION'],
        body.items.map(({ name, version, status, lag, position }) => [name, String(version), status, String(lag), position]))
    }
    return 'done'
  })
  operationVerb(projections, bind, 'rebuild', 'Fills the read model anew beside the serving one, then switches.')
  operationVerb(projections, bind, 'verify', 'Folds the log again and compares with the read model byte for byte. Exit code 5 if they differ.')
}

const operationVerb = (projections: Command, bind: Bind, kind: Operation['kind'], description: string): void => {
  const verb = projections.command(kind).argument('<name>').description(description).addOption(jsonOption())
  bind(verb, async (tools, name: string, options: Json) => {
    const operation = await follow(tools, kind, name)
    if (options.json === true) tools.terminal.json(operation)
    return verdict(operation)
  })
}

/** Milliseconds between two looks at a running operation. */
const LOOK = 200

const follow = async ({ client, terminal, surroundings }: Tools, kind: Operation['kind'], name: string): Promise<Operation> => {
  let { body: operation } = await client.request<Operation>('POST', `${PATH}/${encodeURIComponent(name)}/${kind}`, { body: {} })
  const bar = terminal.bar(`${kind} ${name}`)
  while (operation.status === 'running') {
    bar.at(operation.done, operation.total, `${operation.done} of ${operation.total}`)
    await pause(LOOK, undefined, { signal: surroundings.signal })
    operation = (await client.request<Operation>('GET', `${PATH}/operations/${operation.operation_id}`)).body
  }
  bar.stop(`${kind} ${name}: ${operation.status}, ${operation.done} events`)
  return operation
}

const verdict = (operation: Operation): Exit => {
  if (operation.status === 'failed') throw new Failure('refused', `${operation.kind} ${operation.projection} failed: ${operation.detail ?? 'no reason given'}`)
  return (operation.differences ?? 0) > 0 ? 'findings' : 'done'
}
