// `chancery status`: is each store there, and how far behind the log is each projection.
import { jsonOption, type Family, type Json } from '../verb.ts'

/** What `/health/ready` answers; stores and projections only from the machine itself, or with a token that may see them. */
interface Ready {
  status: 'ready' | 'not_ready'
  publisher?: { status: 'waiting' | 'away' | 'stopped' | 'ready', lag_entries: number | null, remarks: string[] }
  rotations?: { open: number, alarms: Array<{ credential: string, alarm: string }> }
  stores?: Record<string, { status: 'up' | 'down', took_ms: number }>
  projections?: Array<{ name: string, version: number, status: string, position: string, lag: number | 'unknown', alarm?: string }>
}

export const statusVerb: Family = (program, bind) => {
  const status = program.command('status')
    .description('Says whether each store answers, and how far each projection and the publisher are behind the log. Exit code 5 if something is not ready, or the publisher has stopped; one that only waits for Redis makes nobody else wait (chancery lifecycle status tells of it).')
    .addOption(jsonOption())
  bind(status, async ({ client, terminal }, options: Json) => {
    const { body } = await client.request<Ready>('GET', '/health/ready', { accept: [503], token: 'if_any' })
    if (options.json === true) terminal.json(body)
    else {
      const { stores = {}, projections = [], publisher, rotations } = body
      terminal.line(`Chancery is ${body.status === 'ready' ? 'ready' : 'not ready'}.`)
      if (body.stores === undefined) terminal.note('From another machine, a token with metrics.read shows the stores and projections.')
      terminal.section(['STORE', 'STATUS', 'ANSWERED IN'], Object.entries(stores).map(([name, store]) => [name, store.status, `${store.took_ms} ms`]))
      terminal.section(['PROJECTION', 'VERSION', 'STATUS', 'BEHIND', 'POSITION'], projections.map(({ name, version, status, position, lag }) =>
        [name, String(version), status, lag === 'unknown' ? 'unknown' : `${lag} ms`, position]))
      if (publisher !== undefined) terminal.section(['PUBLISHER', 'STATUS', 'BEHIND'], [['lifecycle', publisher.status, publisher.lag_entries === null ? 'unknown' : `${publisher.lag_entries} entries`]])
      for (const remark of publisher?.remarks ?? []) terminal.note(`publisher: ${remark}`)
      for (const { credential, alarm } of rotations?.alarms ?? []) terminal.note(`rotation of ${credential}: ${alarm} Look: chancery rotations show ${credential}`)
      for (const { name, alarm } of projections) if (alarm !== undefined) terminal.note(`${name}: ${alarm}`)
    }
    return body.status === 'ready' && body.publisher?.status !== 'stopped' ? 'done' : 'findings'
  })
}
