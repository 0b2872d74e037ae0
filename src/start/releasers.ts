// What was opened is released in reverse order, also when opening stops half-way.

export interface Releasers {
  /** Puts a release on top of the list. */
  add (name: string, release: () => Promise<unknown> | undefined): void
  /** Runs all of them, last first; one that fails is told and the rest still run. Safe to call twice. */
  run (onError: (name: string, error: unknown) => void): Promise<void>
  /** True from the first `run` on: what breaks then is meant to. */
  running (): boolean
}

export const createReleasers = (): Releasers => {
  const list: Array<{ name: string, release: () => Promise<unknown> | undefined }> = []
  let running: Promise<void> | undefined
  const run = async (onError: (name: string, error: unknown) => void) => {
    for (let next = list.pop(); next !== undefined; next = list.pop()) {
      try {
        await next.release()
      } catch (error) {
        onError(next.name, error)
      }
    }
  }
  return {
    add: (name, release) => { list.push({ name, release }) },
    running: () => running !== undefined,
    run: (onError) => {
      running ??= run(onError)
      return running
    }
  }
}
