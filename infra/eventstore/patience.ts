// How long to wait for a server that is silent: as long as it shows signs of life, up to a limit.
import type { Connection } from './connection.ts'
import { NoAnswer } from './failures.ts'

export interface Patience {
  /** Milliseconds of silence after which the server is asked for a sign of life. */
  silence: number
  /** How many such silences, each followed by a sign of life, are waited out. */
  rounds: number
}

/** A stopped or half-open server is told within 0.6 s, while one that waits for a slow disk gets 6 s. */
export const defaultPatience: Patience = { silence: 300, rounds: 20 }

/**
 * Settles as `answer` does, or rejects with NoAnswer. Counts rounds, not the clock: while this process itself stood still,
 * nobody was slow.
 */
export const whileAlive = <T>(connection: Connection, { silence, rounds }: Patience, answer: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    let timer: NodeJS.Timeout
    let round = 0
    let settled = false
    const settle = () => {
      settled = true
      clearTimeout(timer)
    }
    const ask = () => {
      if (++round > rounds) return give(new NoAnswer(`no answer within ${silence * rounds} ms`))
      connection.alive().then(
        () => { if (!settled) timer = setTimeout(ask, silence) },
        (error: unknown) => { give(new NoAnswer('the server shows no sign of life', { cause: error })) })
    }
    const give = (error: Error) => {
      if (settled) return
      settle()
      reject(error)
    }
    timer = setTimeout(ask, silence)
    answer.then(
      (value) => { settle(); resolve(value) },
      (error: unknown) => { give(error instanceof Error ? error : new Error(String(error))) })
  })
