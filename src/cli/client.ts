// The API as the command line uses it: JSON in and out, refusals as failures with a code, NDJSON as a stream.
import { addAbortSignal, Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { Failure, ProblemFailure } from './failures.ts'
import type { Settings } from './settings.ts'
import type { Problem } from './what-to-do.ts'

export interface Answer<Body> {
  status: number
  body: Body
  /** `Chancery-Position` of a command, to be handed to a query that must see its effect. */
  position: string | undefined
  etag: string | undefined
}

export interface RequestOptions {
  query?: Readonly<Record<string, string | number | boolean | undefined>>
  body?: unknown
  /** `Idempotency-Key`: sending the same again gets the first answer again. */
  key?: string | undefined
  ifMatch?: string | undefined
  /** `Last-Event-ID`: a stream of events goes on after this one. */
  lastEventId?: string | undefined
  /** Position that a query must have reached. */
  minPosition?: string | undefined
  /** Statuses besides 2xx whose JSON body is wanted as it is. */
  accept?: readonly number[]
  /** Milliseconds until the answer must have begun; default 30,000. */
  timeout?: number
  /** `never`: the route is public. `if_any`: the token is sent where there is one. Default: needed. */
  token?: 'never' | 'if_any'
  /** Ctrl-C lets this request come to its end: its caller stops after it. */
  whole?: boolean
  /** Ends this request alone, besides the signal that ends the run. */
  signal?: AbortSignal
}

export interface Client {
  request<Body> (method: string, path: string, options?: RequestOptions): Promise<Answer<Body>>
  /** A body of any length, as it comes. */
  stream (path: string, options?: Pick<RequestOptions, 'query'>): Promise<Readable>
  /** Server-sent events, as they come; undefined if there are no more and never will be (204). */
  events (path: string, options?: Pick<RequestOptions, 'lastEventId' | 'signal'>): Promise<Readable | undefined>
  /** All items of a list with a cursor, page by page. */
  pages<Item> (path: string, query?: RequestOptions['query'], minPosition?: string): AsyncGenerator<Item>
}

/** Items a page: the most that a list gives. */
const PAGE = 1000

/** Codes of answers after which nothing was done: the read models catch up, as in the first moments after a start, or too much was asked at once. */
const NOT_YET: ReadonlySet<string> = new Set(['projection_behind', 'overloaded'])

/** Milliseconds for which they are asked again, and the pause between. */
const CATCHING_UP = 10_000
const RETRY = 300

export const createClient = (settings: Settings, signal: AbortSignal): Client => {
  const send = async (method: string, path: string, options: RequestOptions): Promise<Response> => {
    const url = new URL(path, settings.url)
    for (const [name, value] of Object.entries(options.query ?? {})) if (value !== undefined) url.searchParams.set(name, String(value))
    const late = AbortSignal.timeout(options.timeout ?? 30_000)
    try {
      return await fetch(url, {
        method,
        redirect: 'error',
        signal: options.whole === true ? late : AbortSignal.any([signal, late, ...options.signal === undefined ? [] : [options.signal]]),
        headers: {
          ...authorization(settings, options.token),
          ...options.body !== undefined && { 'content-type': 'application/json' },
          ...options.key !== undefined && { 'idempotency-key': options.key },
          ...options.ifMatch !== undefined && { 'if-match': options.ifMatch },
          ...options.lastEventId !== undefined && { 'last-event-id': options.lastEventId },
          ...options.minPosition !== undefined && { 'chancery-position': options.minPosition }
        },
        ...options.body !== undefined && { body: JSON.stringify(options.body) }
      })
    } catch (error) {
      if (error instanceof Failure) throw error
      if (signal.aborted && !late.aborted) throw new Failure('refused', 'Stopped.')
      throw new Failure('unavailable', late.aborted
        ? `${settings.url.origin} did not answer ${method} ${url.pathname} in time. It may have been done: look before you repeat it, or repeat it with the same --key.`
        : `Nothing answers at ${settings.url.origin} (${reason(error)}). Start the service with npm start, or set CHANCERY_URL.`)
    }
  }

  const request = async <Body>(method: string, path: string, options: RequestOptions = {}, until = Date.now() + CATCHING_UP): Promise<Answer<Body>> => {
    const response = await send(method, path, options)
    const body = await readJson(response, settings)
    if (!response.ok && options.accept?.includes(response.status) !== true) {
      const problem = problemOf(response.status, body)
      if (!NOT_YET.has(problem.code) || Date.now() > until) throw new ProblemFailure(problem, path)
      await pause(RETRY, undefined, { signal }).catch(() => { throw new Failure('refused', 'Stopped.') })
      return request(method, path, options, until)
    }
    return {
      status: response.status,
      body: body as Body,
      position: response.headers.get('chancery-position') ?? undefined,
      etag: response.headers.get('etag') ?? undefined
    }
  }

  const open = async (path: string, options: RequestOptions): Promise<Response> => {
    const response = await send('GET', path, { ...options, timeout: 0x7fffffff })
    if (!response.ok) throw new ProblemFailure(problemOf(response.status, await readJson(response, settings)), path)
    return response
  }
  /** The signals end the body themselves: fetch forgets them once its own controller is collected, and a body without an end would go on for good. */
  const bodyOf = ({ body }: Response, own?: AbortSignal): Readable => {
    const readable = body === null ? Readable.from([]) : Readable.fromWeb(body)
    for (const ending of own === undefined ? [signal] : [signal, own]) addAbortSignal(ending, readable)
    return readable
  }

  return {
    request,
    stream: async (path, options = {}) => bodyOf(await open(path, options)),
    events: async (path, options = {}) => {
      const response = await open(path, options)
      return response.status === 204 ? undefined : bodyOf(response, options.signal)
    },
    pages: async function * <Item>(path: string, query: RequestOptions['query'] = {}, minPosition?: string) {
      let cursor: string | undefined
      do {
        const { body } = await request<{ items: Item[], next_cursor?: string | null }>('GET', path, { query: { limit: PAGE, ...query, cursor }, minPosition })
        yield * body.items
        cursor = body.next_cursor ?? undefined
      } while (cursor !== undefined)
    }
  }
}

const authorization = (settings: Settings, need: RequestOptions['token']): { authorization?: string } => {
  if (need === 'never') return {}
  try {
    return { authorization: `Bearer ${settings.token()}` }
  } catch (error) {
    if (need === 'if_any') return {}
    throw error
  }
}

const readJson = async (response: Response, { url }: Settings): Promise<unknown> => {
  const text = await response.text()
  if (text === '') return undefined
  try {
    return JSON.parse(text)
  } catch {
    throw new Failure('refused', `${url.origin} answered ${response.status} with something that is not JSON. Is CHANCERY_URL right?`)
  }
}

const problemOf = (status: number, body: unknown): Problem => {
  const { code, title, detail, trace_id: traceId, type: _type, status: _status, instance: _instance, ...fields } =
    (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  const text = (value: unknown) => typeof value === 'string' ? value : ''
  return { status, code: text(code) || 'unknown', title: text(title), detail: text(detail), ...typeof traceId === 'string' && { trace_id: traceId }, fields }
}

const reason = (error: unknown): string => {
  const cause = error instanceof Error ? error.cause ?? error : error
  return (cause as NodeJS.ErrnoException).code ?? String(cause)
}
