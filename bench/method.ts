// The method of every benchmark here: contestants up at once, slices in rotation, ratios round by round, disturbed rounds left out.
import { readFileSync } from 'node:fs'
import { probeFsync, probeSpin, type Probe } from './probes.ts'
import { median, quantile } from './statistics.ts'

export interface Slice {
  /** Operations that were completed and checked. */
  operations: number
  seconds: number
  /** Latency of each operation (or a sample) in milliseconds. */
  latencies: number[]
}

export interface Contestant {
  name: string
  /** Processes that work for it: their CPU time is charged to its operations. */
  pids: () => number[]
  slice: (milliseconds: number) => Promise<Slice>
}

export interface Measured extends Slice { contestant: string, cpuMicros: number, probe: Probe }
export interface Round { index: number, disturbed: boolean, slices: Measured[] }
export interface Plan { rounds: number, dropped: number, sliceMs: number, dir: string, progress: (line: string) => void }

/** A probe that is this much slower than the run's median marks its round as disturbed. */
const DISTURBED = 1.35

/** Runs every contestant once a round, in turn; the first rounds only warm up and are dropped. */
export const rotate = async (contestants: readonly Contestant[], plan: Plan): Promise<Round[]> => {
  const rounds: Round[] = []
  for (let index = 0; index < plan.rounds; index++) {
    const slices: Measured[] = []
    for (const contestant of contestants) {
      const probe = { spin: probeSpin(), ...probeFsync(plan.dir, 30) }
      const before = cpuMicros(contestant.pids())
      const slice = await contestant.slice(plan.sliceMs)
      slices.push({ ...slice, contestant: contestant.name, cpuMicros: cpuMicros(contestant.pids()) - before, probe })
    }
    rounds.push({ index, disturbed: false, slices })
    plan.progress(`round ${index + 1}/${plan.rounds}${index < plan.dropped ? ' (warm-up)' : ''}`)
  }
  return markDisturbed(rounds.slice(plan.dropped))
}

const markDisturbed = (rounds: Round[]): Round[] => {
  const usual = median(rounds.flatMap(({ slices }) => slices.map(({ probe }) => probe.spin)))
  return rounds.map((round) => ({ ...round, disturbed: round.slices.some(({ probe }) => probe.spin > usual * DISTURBED) }))
}

/** Median and 10–90 % range of a figure over the rounds; disturbed rounds are left out while at least three others remain. */
export const overRounds = (rounds: readonly Round[], figure: (round: Round) => number) => {
  const quiet = rounds.filter(({ disturbed }) => !disturbed)
  const values = (quiet.length >= 3 ? quiet : rounds).map(figure)
  return { median: median(values), p10: quantile(values, 0.1), p90: quantile(values, 0.9), rounds: values.length }
}

export const sliceOf = (round: Round, contestant: string): Measured => {
  const found = round.slices.find((slice) => slice.contestant === contestant)
  if (found === undefined) throw new Error(`no slice of ${contestant} in round ${round.index}`)
  return found
}

export const rate = ({ operations, seconds }: Slice): number => operations / seconds

/** User and system time of processes so far, in microseconds (100 clock ticks a second on Linux); one that just ended counts as nothing. */
const cpuMicros = (pids: readonly number[]): number => pids.reduce((sum, pid) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
    return sum + (Number(fields[11]) + Number(fields[12])) * 10_000
  } catch {
    return sum
  }
}, 0)
