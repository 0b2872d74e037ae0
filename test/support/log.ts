// The log for tests: the real adapter on a local event store of the test's own.
import type { Test } from 'tap'
import { openLog, type Log } from '../../infra/eventstore/index.ts'
import type { Vault } from '../../src/ports.ts'
import { testEventStore } from './eventstore.ts'

/** For tests whose events hold nothing personal: a vault that is never asked. */
const noVault: Vault = {
  seal: () => Promise.reject(new Error('this test said it seals nothing')),
  open: () => Promise.reject(new Error('this test said it opens nothing'))
}

/** Opens a log on a fresh store; both end with the test. */
export const testLog = async (t: Pick<Test, 'teardown'>, vault: Vault = noVault): Promise<Log> => {
  const { url } = await testEventStore(t)
  const log = await openLog({ url, vault })
  t.teardown(() => log.close())
  return log
}

/** The log of a service under test, read beside it; it ends with the test. */
export const logOf = async (t: Pick<Test, 'teardown'>, env: Readonly<Record<string, string>>): Promise<Log> => {
  const log = await openLog({ url: env['CHANCERY_EVENTSTORE_URL'] ?? '', namespace: env['CHANCERY_NAMESPACE'], vault: noVault })
  t.teardown(() => log.close())
  return log
}
