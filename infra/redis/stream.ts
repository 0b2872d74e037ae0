// The lifecycle stream in a Redis: port LifecycleStream over ioredis and the scripts beside this file.
import { createHash } from 'node:crypto'
import type { Redis } from 'ioredis'
import { StreamUnavailable, type LifecycleStream, type StreamEntry, type TrimAnswer } from '../../src/lifecycle-stream.ts'
import { openRedis } from './index.ts'
import { APPEND, BEGIN_ANEW, FORGET, NOTE_READ_TO, STATE, TRIM } from './stream-scripts.ts'

/** @param options.key the stream; the keys beside it begin with it and a colon */
export const openLifecycleStream = ({ url, key }: { url: string, key: string }): LifecycleStream => {
  const client = openRedis({ url, name: 'chancery-publisher' })
  const beside = (name: string) => `${key}:${name}`
  const run = runner(client)

  return {
    key,
    state: async () => {
      const [tail, length, added, maxDeleted, epoch, first, last, readTo] =
        await run(STATE, [key, beside('read_to'), beside('epoch')], []) as [string, number, number, string, string, RawEntry, RawEntry, string[]]
      const hint = fieldsOf(readTo)
      return {
        tail,
        length,
        added,
        maxDeleted,
        epoch: epoch === '' ? undefined : epoch,
        first: entryOf(first),
        last: entryOf(last),
        readTo: hint['after'] === undefined || hint['position'] === undefined || hint['event_id'] === undefined
          ? undefined
          : { after: hint['after'], position: BigInt(hint['position']), eventId: hint['event_id'] }
      }
    },
    append: async (after, entries) => {
      const texts = entries.flatMap(({ id, fields }) => {
        const pairs = Object.entries(fields).flat()
        return [id, fields['event_id'] ?? '', String(pairs.length), ...pairs]
      })
      const [outcome, what] = await run(APPEND, [key], [after, String(entries.length), ...texts]) as ['appended', number] | ['moved', string]
      return outcome === 'appended' ? { outcome, existed: what } : { outcome, tail: what }
    },
    noteReadTo: async (after, { position, id }) => { await run(NOTE_READ_TO, [key, beside('read_to')], [after, String(position), id]) },
    page: (after, limit) => asked(async () => {
      const entries = await client.xrange(key, `(${after}`, '+', 'COUNT', limit) as RawEntry[]
      return entries.map(entryOf).filter((entry) => entry !== undefined)
    }),
    groups: () => asked(async () => {
      try {
        const groups = await client.xinfo('GROUPS', key) as unknown[][]
        return groups.map((group) => String(group[group.indexOf('name') + 1]))
      } catch (error) {
        if ((error as Error).message.includes('no such key')) return []
        throw error
      }
    }),
    acknowledged: () => asked(async () => {
      const kept = await client.hgetall(beside('acknowledged'))
      return new Map(Object.entries(kept).filter(([, position]) => /^\d{1,19}$/.test(position)).map(([name, position]) => [name, BigInt(position)]))
    }),
    trim: async ({ upTo, keep, groups, consumers }): Promise<TrimAnswer> => {
      const [outcome, what] = await run(TRIM, [key, beside('acknowledged')], [String(upTo), keep, String(groups.length), ...groups, ...consumers]) as
        ['trimmed', number] | ['unknown_group' | 'held_back' | 'moved', string]
      return outcome === 'trimmed' ? { outcome, entries: what } : { outcome: 'refused', because: outcome, name: what }
    },
    forget: async ({ groups, consumers }) => { await run(FORGET, [key, beside('acknowledged')], [String(groups.length), ...groups, ...consumers]) },
    beginAnew: async ({ epochId, renamedTo, groups, after }) => {
      const places = groups.flatMap(({ group, position }) => [group, `${position}-${position}`])
      return await run(BEGIN_ANEW, [key, renamedTo, beside('epoch'), beside('read_to')], [epochId, after ?? '', ...places]) === 1
    },
    close: () => { client.disconnect() }
  }
}

type RawEntry = [] | [id: string, texts: string[]]

const fieldsOf = (texts: readonly string[]): Record<string, string> => {
  const fields: Record<string, string> = {}
  for (let i = 0; i + 1 < texts.length; i += 2) fields[texts[i] ?? ''] = texts[i + 1] ?? ''
  return fields
}

const entryOf = ([id, texts]: RawEntry): StreamEntry | undefined => id === undefined ? undefined : { id, fields: fieldsOf(texts ?? []) }

/** Runs scripts by their digest; a server that was restarted or replaced does not know them and is sent the text. */
const runner = (client: Redis) => {
  const digests = new Map<string, string>()
  const digestOf = (script: string): string => {
    const known = digests.get(script) ?? createHash('sha1').update(script).digest('hex')
    digests.set(script, known)
    return known
  }
  return (script: string, keys: readonly string[], values: readonly string[]): Promise<unknown> => asked(async () => {
    try {
      return await client.evalsha(digestOf(script), keys.length, ...keys, ...values)
    } catch (error) {
      if (!(error as Error).message.startsWith('NOSCRIPT')) throw error
      return await client.eval(script, keys.length, ...keys, ...values)
    }
  })
}

/** Redis's own word for what is wrong is the first of its message; of a connection, the system's code. Messages may quote a command. */
const asked = async <T>(ask: () => Promise<T>): Promise<T> => {
  try {
    return await ask()
  } catch (error) {
    const { message, code } = error as NodeJS.ErrnoException
    const word = /^(?:ERR )?([A-Z]{3,})\b/.exec(message)?.[1]
    throw new StreamUnavailable(code ?? word ?? (/timed out/i.test(message) ? 'timeout' : 'unreachable'), { cause: error })
  }
}
