// A server that runs as a child process of ours, as the supervisor sees it.

export interface Child {
  pid: number
  port: number
  /** Resolves when the process has ended, for whatever reason. */
  ended: Promise<void>
  /** Ends it in good order; resolves when it has ended. */
  stop (): Promise<void>
}

export interface ChildKind<C extends Child = Child> {
  /** As it is told to people: "Postgres". */
  name: string
  /** The file name of its mark. */
  key: string
  signals: { ask: NodeJS.Signals, force: NodeJS.Signals }
  /** Starts it on this port (0: a free one) and waits until it serves. */
  start (port: number): Promise<C>
}
