// Moves pages from a source to a call: one page a turn, none while the peer does not read, all of them of bounded size.
import type { Call } from '../grpc/call.ts'
import { Code, GrpcError } from '../grpc/status.ts'
import type { Scheduler, Turn } from './scheduler.ts'

/** Collects the frames of one page. */
export class Page {
  readonly #limit: number
  readonly frames: Buffer[] = []
  #size = 0

  constructor (limit: number) {
    this.#limit = limit
  }

  get full (): boolean { return this.#size >= this.#limit }

  add (frame: Buffer): void {
    this.frames.push(frame)
    this.#size += frame.length
  }
}

/** What comes after a page: more at once, more when something is written, the end, or an error. */
export type Next = 'more' | 'wait' | 'end' | GrpcError

export interface Source {
  fill (page: Page): Next
}

const SMALLEST_PAGE = 2 * 1024
const LARGEST_PAGE = 64 * 1024
/** Shared by all readers that have not read what they were sent: 10,000 of them get small pages. */
const ALL_PAGES = 16 * 1024 * 1024

export class Pumps {
  readonly #scheduler: Scheduler
  #open = 0

  constructor (scheduler: Scheduler) {
    this.#scheduler = scheduler
  }

  open (call: Call, source: Source): Pump {
    this.#open++
    return new Pump(call, source, this.#scheduler, this)
  }

  closed (): void { this.#open-- }

  get pageLimit (): number {
    return Math.min(LARGEST_PAGE, Math.max(SMALLEST_PAGE, Math.floor(ALL_PAGES / Math.max(1, this.#open))))
  }
}

export class Pump implements Turn {
  readonly #call: Call
  readonly #source: Source
  readonly #scheduler: Scheduler
  readonly #pumps: Pumps
  #closed = false

  constructor (call: Call, source: Source, scheduler: Scheduler, pumps: Pumps) {
    this.#call = call
    this.#source = source
    this.#scheduler = scheduler
    this.#pumps = pumps
    call.drained = () => { this.wake() }
  }

  wake (): void {
    if (!this.#closed) this.#scheduler.wake(this)
  }

  close (): void {
    if (this.#closed) return
    this.#closed = true
    this.#pumps.closed()
    this.#scheduler.drop(this)
  }

  turn (): boolean {
    if (this.#closed || this.#call.congested) return false
    const page = new Page(this.#pumps.pageLimit)
    const next = this.#fill(page)
    const [first] = page.frames
    if (first) this.#call.write(page.frames.length === 1 ? first : Buffer.concat(page.frames))
    if (next === 'end') this.#call.end()
    else if (typeof next !== 'string') this.#call.fail(next)
    return next === 'more' && !this.#call.congested
  }

  /** A read that fails ends its own call, not the server. */
  #fill (page: Page): Next {
    try {
      return this.#source.fill(page)
    } catch (error) {
      return new GrpcError(Code.INTERNAL, error instanceof Error ? error.message : String(error))
    }
  }
}
