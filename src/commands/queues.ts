// One queue per key: tasks of the same key run one after the other, those of different keys do not wait.

/** Returns `inTurn(key, task)`; a failing task does not stop those behind it, and an idle key costs nothing. */
export const createQueues = () => {
  const tails = new Map<string, Promise<unknown>>()
  return <T>(key: string, task: () => Promise<T>): Promise<T> => {
    const before = tails.get(key)
    const running = before === undefined ? task() : before.then(task, task)
    const tail = running.catch(() => {}).then(() => { if (tails.get(key) === tail) tails.delete(key) })
    tails.set(key, tail)
    return running
  }
}
