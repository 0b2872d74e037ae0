// A consumer of credentials: takes what it is given by push or pull, and proves that it uses it.
import { setTimeout as delay } from 'node:timers/promises'
import { createHands } from './hands.ts'
import { possessionProof } from './proof.ts'
import { fetchOnce, nothingYet, startPuller } from './pull.ts'
import { answer, createPushHandler } from './push.ts'
import type { CredentialConsumer, CredentialConsumerOptions } from './types.ts'

const FIRST_PAUSE_MS = 250
const LONGEST_PAUSE_MS = 15_000

export const createCredentialConsumer = (options: CredentialConsumerOptions): CredentialConsumer => {
  const { name, credentials, key, service, pull, onTrouble = () => {} } = options
  const hands = createHands(options)
  const stopped = new AbortController()
  const { signal } = stopped
  const running: Array<Promise<unknown>> = []

  /** Until it is done: without a key nothing is sealed to us. */
  const register = async (): Promise<void> => {
    for (let pause = FIRST_PAUSE_MS; !signal.aborted; pause = Math.min(pause * 2, LONGEST_PAUSE_MS)) {
      try {
        await service.registerKey(key.publicJwk)
        return
      } catch (error) {
        if (signal.aborted) return
        onTrouble({ credential: undefined, doing: 'registering', error })
        await delay(pause, undefined, { signal }).catch(() => {})
      }
    }
  }

  /** Behind the start: what it pulls, or what it has nothing of yet. */
  const begin = async (): Promise<void> => {
    await register()
    if (signal.aborted) return
    if (pull === undefined) {
      // Also of what was kept: it may have missed a push, and of who has the newest nothing is recorded.
      await Promise.all(credentials.map(async (credential) => {
        await fetchOnce(options, hands, credential).catch((error: unknown) => {
          // It will be pushed.
          if (!nothingYet(error)) onTrouble({ credential, doing: 'fetching', error })
        })
      }))
      return
    }
    const pullers = new Map(credentials.map((credential) => [credential, startPuller({ ...options, registered: register }, hands, credential, signal)]))
    const following = pull.follow?.({
      signal,
      onEntry: (entry) => { if (entry.consumer === name) pullers.get(entry.credential)?.wake() },
      onGap: () => { for (const puller of pullers.values()) puller.wake() }
    }).catch((error: unknown) => { if (!signal.aborted) onTrouble({ credential: undefined, doing: 'following', error }) })
    await Promise.all([following, ...[...pullers.values()].map(({ done }) => done)])
  }

  return {
    start: async () => {
      await hands.takeUp()
      running.push(begin())
    },
    handlePush: createPushHandler(options, hands),
    handleHealthcheck: ({ credential, nonce }, healthy = true) => {
      if (typeof credential !== 'string' || !credentials.includes(credential)) return answer(404, { status: 'unknown_credential' })
      if (!healthy) return answer(503, { status: 'unhealthy' })
      const held = hands.holding(credential)
      if (held === undefined || typeof nonce !== 'string' || !/^[A-Za-z0-9_-]{22,128}$/.test(nonce)) return answer(200, { status: 'ok' })
      return answer(200, { status: 'ok', proof: possessionProof({ credential, nonce, value: held.value }) })
    },
    holding: (credential) => hands.holding(credential),
    fetch: (credential) => fetchOnce(options, hands, credential),
    stop: async () => {
      stopped.abort()
      await Promise.all(running)
    }
  }
}
