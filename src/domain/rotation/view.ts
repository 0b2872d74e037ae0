// A job as readers are shown it: API, event stream, board and transcript are made of this.
import type { Credential } from '../credential/state.ts'
import type { JobView } from './job.ts'
import type { RotationRules } from './rules.ts'

/** The open job or the last one, by its id; older ones are folded from the stream up to their end (`readJob`). */
export const jobView = (credential: Credential, rotationId: string, now: Date, rules: RotationRules): JobView | undefined => undefined
