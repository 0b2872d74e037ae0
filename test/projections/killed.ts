// A process that follows the log and is killed in the middle of a batch: its checkpoint is moved, its rows are not written.
import { connectPostgres } from '../../infra/postgres/index.ts'
import { openLog } from '../../infra/eventstore/index.ts'
import { startProjections } from '../../src/projections/engine.ts'
import { counting, vault } from './support.ts'

const [postgresUrl = '', eventStoreUrl = '', after = ''] = process.argv.slice(2)
let seen = 0
const postgres = await connectPostgres({ url: postgresUrl })
const log = await openLog({ url: eventStoreUrl, vault })
await startProjections({
  database: postgres.database,
  log,
  projectors: [counting('counts', { fold: () => { if (++seen > Number(after)) process.kill(process.pid, 'SIGKILL') } })],
  logger: { info: () => {}, warn: () => {}, error: () => {} }
})
process.stdout.write('following\n')
