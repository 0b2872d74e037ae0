// What the machine can do right now: one core's speed and the disk's, taken before each slice.
import { closeSync, fdatasyncSync, openSync, rmSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { quantile } from './statistics.ts'

export interface Probe { /** Milliseconds of a fixed computation. */ spin: number, /** p50 of a 4 KiB write and fdatasync, milliseconds. */ fsyncP50: number, /** fdatasyncs a second. */ fsyncRate: number }

/** Milliseconds that a fixed integer loop takes. */
export const probeSpin = (): number => {
  const started = performance.now()
  let x = 1
  for (let i = 0; i < 5_000_000; i++) x = (x * 1103515245 + 12345) | 0
  return performance.now() - started + (x === 0 ? 1e-9 : 0)
}

/** Writes 4 KiB and fdatasyncs, `count` times, in a file of its own. */
export const probeFsync = (dir: string, count: number): Pick<Probe, 'fsyncP50' | 'fsyncRate'> => {
  const path = join(dir, `fsync-probe-${process.pid}`)
  const file = openSync(path, 'w')
  const block = Buffer.alloc(4096, 1)
  const times: number[] = []
  for (let i = 0; i < count; i++) {
    const started = performance.now()
    writeSync(file, block)
    fdatasyncSync(file)
    times.push(performance.now() - started)
  }
  closeSync(file)
  rmSync(path)
  const p50 = quantile(times, 0.5)
  return { fsyncP50: p50, fsyncRate: 1000 * count / times.reduce((a, b) => a + b, 0) }
}
