// Reads a job from its credential's stream: the open one, the last one, or any that ended.
import type { JobView } from '../../domain/rotation/job.ts'
import type { RotationDeps } from './deps.ts'

/** The job as it is, or as it was when it ended. @throws Refusal `subject_not_found` */
export const readJob = async (
  deps: Pick<RotationDeps, 'aggregates' | 'events' | 'clock' | 'rules'>, of: { credential: string, rotationId: string }
): Promise<{ view: JobView, revision: bigint, position: bigint } | undefined> => undefined
