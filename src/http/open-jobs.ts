// The open rotations, and ended ones that left somebody without a value, as readers are shown them, for who watches all of them: metrics and the health of the service.
import type { JobView } from '../domain/rotation/job.ts'
import type { RotationRules } from '../domain/rotation/rules.ts'
import { jobView } from '../domain/rotation/view.ts'
import type { Clock } from '../ports.ts'
import type { RotationQueries } from '../rotation-queries.ts'

export interface OpenJobsDeps { rotations: Pick<RotationQueries, 'open'>, clock: Clock, rules: RotationRules }
/** Undefined where the read model does not answer. */
export type OpenJobs = () => Promise<JobView[] | undefined>

/** One look serves all who ask at once. */
export const openJobs = ({ rotations, clock, rules }: OpenJobsDeps): OpenJobs => {
  let looking: Promise<JobView[] | undefined> | undefined
  const look = async (): Promise<JobView[]> => {
    const now = clock.now()
    return (await rotations.open()).flatMap((credential) => {
      const job = credential.status === 'known' ? credential.job : undefined
      return (job && jobView(credential, job.rotationId, now, rules)) ?? []
    })
  }
  return () => {
    looking ??= look().catch(() => undefined).finally(() => { looking = undefined })
    return looking
  }
}
