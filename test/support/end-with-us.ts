// Programs that tests start by other means than our own: they end with a test that is killed, too.
import { spawn } from 'node:child_process'

/** A shell that hears of our end by its input kills it then. @returns the release, for when it is gone by itself */
export const endWithUs = (pid: number): () => void => {
  const watch = spawn('/bin/sh', ['-c', 'read -r line || kill -9 "$1"', 'sh', String(pid)], { detached: true, stdio: ['pipe', 'ignore', 'ignore'] })
  return () => { watch.stdin.end('ended\n') }
}

/** Stopped at the test's end, and with the test where that does not come. */
export const stopWith = <R extends { pid: number, stop: () => Promise<void> }>(t: { teardown (end: () => Promise<void>): unknown }, running: R): R => {
  const release = endWithUs(running.pid)
  t.teardown(async () => {
    await running.stop()
    release()
  })
  return running
}
