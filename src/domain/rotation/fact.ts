// A recorded fact of a rotation, as folds take it.
import type { RecordedOf } from '../catalogue.ts'

export type RotationFact = Extract<RecordedOf<'credential'>, { type: `rotation.${string}` }>
