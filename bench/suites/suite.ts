// What a suite of benchmarks gives back: figures with their goal or peer, and the rounds behind them.
import type { Round } from '../method.ts'

export interface Figure {
  name: string
  median: number
  p10: number
  p90: number
  rounds: number
  /** What the figure is compared with, in words. */
  against: string
}

export interface SuiteResult {
  suite: string
  figures: Figure[]
  /** Absolute numbers, printed last: they are of this machine and this hour. */
  absolute: Record<string, number>
  rounds: Round[]
}

export interface SuiteOptions {
  /** A folder of the suite's own, on the disk that is measured. */
  dir: string
  rounds: number
  dropped: number
  sliceMs: number
  progress: (line: string) => void
}
