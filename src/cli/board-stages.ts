// The four stages of a rotation as a state of the job shows them: done, under way, failed, or still to come.
import type { JobView } from './rotation-api.ts'

export interface StageMark { stage: string, mark: string, style: 'green' | 'red' | 'cyan' | 'dim' }

const stages = ['verify', 'mint and distribute', 'validate', 'revoke'] as const

type Progress = 'come' | 'working' | 'failed' | 'done'
const marks: Record<Progress, Omit<StageMark, 'stage'>> = {
  come: { mark: '·', style: 'dim' }, working: { mark: '›', style: 'cyan' }, failed: { mark: '✗', style: 'red' }, done: { mark: '✓', style: 'green' }
}

/** State → the stage it belongs to (0 to 3) and how that stands; the stages before it are done. */
const places: Readonly<Record<string, [stage: number, progress: Progress]>> = {
  opened: [0, 'come'],
  verifying: [0, 'working'],
  verify_failed: [0, 'failed'],
  verified: [0, 'done'],
  minting: [1, 'working'],
  mint_failed: [1, 'failed'],
  mint_outcome_unknown: [1, 'working'],
  distributing: [1, 'working'],
  distribute_partial: [1, 'failed'],
  distributed: [1, 'done'],
  validating: [2, 'working'],
  validation_failed: [2, 'failed'],
  validated: [2, 'done'],
  confirming: [3, 'working'],
  revoking: [3, 'working'],
  revoke_unconfirmed: [3, 'failed'],
  done: [3, 'done']
}

export const stageMarks = ({ state }: Pick<JobView, 'state'>): StageMark[] => {
  if (state === 'aborted') return [{ stage: 'aborted: the old value holds', mark: '↩', style: 'dim' }]
  if (/^abort/.test(state)) return [{ stage: 'going back to the old value', mark: '↩', style: 'cyan' }]
  const [current, progress] = places[state] ?? [0, 'come']
  return stages.map((stage, index) => ({ stage, ...marks[index < current ? 'done' : index > current ? 'come' : progress] }))
}
