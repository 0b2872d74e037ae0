// `chancery status`: is each store there, and how far behind the log is each projection.
import { jsonOption, type Family, type Json } from '../verb.ts'

/** What `/health/ready` answers in full. */
interface Ready {
  status: string
  stores: Record<string, { status: string, [key: string]: unknown }>
  projections: Array<{ name: string, status: string, lag: number | string, [key: string]: unknown }>
}

export const statusVerb: Family = (program, bind) => {
  const status = program.command('status')
    .description('Says whether each store answers and how many events each projection is behind. Exit code 5 if something is not ready.')
    .addOption(jsonOption())
  bind(status, async ({ client, terminal }, options: Json) => {
    const { body, status } = await client.request<Ready>('GET', '/health/ready', { accept: [503], token: 'if_any' })
    if (options.json === true) terminal.json(body)
    else {
      terminal.table(['STORE', 'STATUS'], Object.entries(body.stores).map(([name, store]) => [name, store.status]))
      terminal.line()
      terminal.table(['PROJECTION', 'STATUS', 'LAG'], body.projections.map(({ name, status, lag }) => [name, status, String(lag)]))
    }
    return status === 200 ? 'done' : 'findings'
  })
}
