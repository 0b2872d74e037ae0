// What a job asks of the outside world next: a pure function of its facts and the time.
import type { Credential } from '../credential/state.ts'
import type { Due } from './actions.ts'
import type { DueRules } from './rules.ts'

export const due = (credential: Credential, now: Date, rules: DueRules): Due => ({ actions: [], again: undefined })
