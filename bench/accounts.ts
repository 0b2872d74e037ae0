// A Chancery full of accounts for the benchmarks of reads: appended to its log as ensure-by-email and admins would leave them.
import { randomBytes, randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openLog } from '../infra/eventstore/index.ts'
import { uuidIds as ids } from '../infra/ids.ts'
import { openKeys } from '../infra/keys/index.ts'
import { masterKey } from '../infra/keys/master-key.ts'
import { openPostgres } from '../infra/local/postgres/index.ts'
import { connectPostgres } from '../infra/postgres/index.ts'
import { openVault } from '../infra/vault/index.ts'
import { readAddress } from '../src/commands/address.ts'
import { dress } from '../src/commands/metadata.ts'
import type { ChanceryEvent } from '../src/domain/catalogue.ts'
import { Clear } from '../src/domain/personal.ts'
import { startChancery, type Chancery } from './chancery.ts'
import { childLine, compiled, processTree } from './children.ts'

/** One account in so many has it. */
export const SHARES = { sanction: 100, limit: 50, tariff: 200, deleted: 97 }
const AT_ONCE = 64

export interface Account {
  userId: string
  email: string
  createdAt: string
  sanction?: { sanctionId: string, startsAt: string }
  limit?: number
  tariff?: string
  deleted: boolean
}

export interface FullChancery extends Chancery {
  accounts: readonly Account[]
  /** Of the service and its two stores. */
  pids: () => number[]
}

const addressOf = (n: number): string => `person-${n}@bench.example`

/** Starts stores and service, and appends `count` accounts; waits until the read model shows them. */
export const chanceryWith = async (count: number, { dir, progress }: { dir: string, progress: (line: string) => void }): Promise<FullChancery> => {
  const home = join(dir, `accounts-${count}`)
  const postgres = await openPostgres({ home: join(home, 'postgres'), durable: true })
  const store = await childLine([compiled('infra/local/eventstore/main.js'), '--data', join(home, 'events'), '--port', '0'])
  const eventStoreUrl = /esdb:\S+/.exec(store.line)?.[0] ?? ''
  const key = randomBytes(32)
  const service = await startChancery(home, {
    CHANCERY_POSTGRES_URL: postgres.url, CHANCERY_EVENTSTORE_URL: eventStoreUrl, CHANCERY_MASTER_KEY: key.toString('hex'), CHANCERY_ROLES: 'api,projector'
  })
  const accounts = await fill({ postgresUrl: postgres.url, eventStoreUrl, key, count, progress })
  await shown(service, accounts.at(-1)?.email ?? '')
  return {
    ...service,
    accounts,
    pids: () => [...processTree(service.pid), ...processTree(postgres.pid), store.pid],
    stop: async () => {
      await service.stop()
      await store.stop()
      await postgres.stop()
    }
  }
}

const fill = async ({ postgresUrl, eventStoreUrl, key, count, progress }: {
  postgresUrl: string, eventStoreUrl: string, key: Buffer, count: number, progress: (line: string) => void
}): Promise<Account[]> => {
  const postgres = await connectPostgres({ url: postgresUrl })
  const { pool, schemas } = postgres
  const sealing = { pool, schema: schemas.vault, masterKey: masterKey(key, 'bench') }
  const [vault, keys] = [await openVault(sealing), await openKeys(sealing)]
  const log = await openLog({ url: eventStoreUrl, vault })
  const began = Date.now() - 1_000_000
  const accounts = Array.from({ length: count }, (_, n): Account => ({
    userId: randomUUID(),
    email: addressOf(n),
    createdAt: new Date(began + n).toISOString(),
    ...n % SHARES.sanction === 0 && { sanction: { sanctionId: randomUUID(), startsAt: new Date(began + n).toISOString() } },
    ...n % SHARES.limit === 0 && { limit: 5 },
    ...n % SHARES.tariff === 0 && { tariff: 'gold' },
    deleted: n % SHARES.deleted === 1
  }))
  try {
    let next = 0
    // In the order of the list, so that places in it are known; lanes run side by side.
    await Promise.all(Array.from({ length: AT_ONCE }, async () => {
      for (let account = accounts[next++]; account !== undefined; account = accounts[next++]) {
        const context = { commandId: ids.next(), at: new Date(account.createdAt), actor: { type: 'principal', id: 'bench' }, requestId: 'bench' } as const
        const facts = factsOf(account, readAddress(keys, account.email)?.hash ?? '')
        await log.append(`user-${account.userId}`, 'no_stream', dress(facts, context, ids))
        if (next % 1000 === 0) progress(`${next} of ${count} accounts`)
      }
    }))
  } finally {
    await log.close()
    await postgres.close()
  }
  return accounts
}

const factsOf = ({ userId, email, createdAt, sanction, limit, tariff, deleted }: Account, addressHash: string): ChanceryEvent[] => [
  { type: 'user.registered', data: { userId, email: new Clear(email, `user-${userId}`), addressHash, registeredAt: createdAt } },
  ...sanction === undefined ? [] : [{ type: 'user.sanction_applied' as const, data: { userId, ...sanction, code: 'login_block' as const, scope: 'platform', appliedAt: createdAt } }],
  ...limit === undefined ? [] : [{ type: 'user.limit_set' as const, data: { userId, code: 'max_registered_race_names' as const, value: limit, setAt: createdAt } }],
  ...tariff === undefined ? [] : [{ type: 'user.tariff_set' as const, data: { userId, code: tariff, since: createdAt, setAt: createdAt } }],
  ...deleted ? [{ type: 'user.deleted' as const, data: { userId, deletedAt: createdAt, purgeAfter: '2099-01-01T00:00:00.000Z' } }] : []
]

/** The last account is in the list, and so are those before it. */
const shown = async (service: Chancery, email: string): Promise<void> => {
  const { position } = await service.request<{ position: string }>('POST', '/api/v1/principals', { name: 'bench', kind: 'service' })
  for (;;) {
    const found = await service.request<{ items: unknown[] }>('GET', `/api/v1/admin/users?email=${email}&min_position=${position}`).catch(() => ({ items: [] }))
    if (found.items.length === 1) return
    await delay(200)
  }
}
