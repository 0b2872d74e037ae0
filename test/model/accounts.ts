// What the account surfaces should answer, said a second time and in the simplest way: a few persons in plain variables.

export const sanctionCodes = ['login_block', 'private_game_create_block', 'private_game_manage_block', 'game_join_block', 'profile_update_block', 'permanent_block'] as const
export type SanctionCode = (typeof sanctionCodes)[number]

/** Which markers each takes away, written down again from the issue and not taken from the program. */
const takes: Record<SanctionCode, readonly string[]> = {
  login_block: ['can_login'],
  private_game_create_block: ['can_create_private_game'],
  private_game_manage_block: ['can_manage_private_game'],
  game_join_block: ['can_join_game'],
  profile_update_block: ['can_update_profile'],
  permanent_block: ['can_login', 'can_create_private_game', 'can_manage_private_game', 'can_join_game', 'can_update_profile']
}
const markerNames = takes.permanent_block
const ofGames: readonly SanctionCode[] = ['private_game_manage_block', 'game_join_block']

interface Sanction { id: string, code: SanctionCode, scope: string, removed: boolean }

export interface Person {
  email: string
  /** Undefined until the account was made. */
  id?: string
  userName?: string
  displayName?: string
  language?: string
  zone?: string
  sanctions: Sanction[]
  limits: Map<string, number>
  tariff?: string
  deleted: boolean
  /** Types of the lifecycle facts that have to be in the account's stream, in order. */
  announced: string[]
}

export interface World {
  persons: Person[]
  /** Folded user name → who has it; a deleted account keeps its own. */
  names: Map<string, Person>
}

export const newPerson = (email: string): Person => ({ email, sanctions: [], limits: new Map(), deleted: false, announced: [] })

export const active = ({ sanctions }: Person, ...codes: SanctionCode[]): Sanction[] =>
  sanctions.filter(({ code, removed }) => !removed && (codes.length === 0 || codes.includes(code)))

export const present = (person: Person): boolean => person.id !== undefined && !person.deleted

/** outcome and reason_code of resolve-by-email; ensure says `created` where this says `creatable`. */
export const standing = (person: Person): { outcome: string, reason_code?: string, user_id?: string } => {
  if (person.id === undefined) return { outcome: 'creatable' }
  if (person.deleted) return { outcome: 'blocked', reason_code: 'account_deleted' }
  if (active(person, 'permanent_block').length > 0) return { outcome: 'blocked', reason_code: 'permanent_block' }
  if (active(person, 'login_block').length > 0) return { outcome: 'blocked', reason_code: 'login_block' }
  return { outcome: 'existing', user_id: person.id }
}

/** The code that refuses a sanction, or undefined. */
export const sanctionRefusal = (person: Person, code: SanctionCode, scope: string, expires: boolean): 'sanction_invalid' | 'conflict' | undefined => {
  if (scope !== 'platform' && !ofGames.includes(code)) return 'sanction_invalid'
  if (code === 'permanent_block' && expires) return 'sanction_invalid'
  return active(person, code).some((sanction) => sanction.scope === scope) ? 'conflict' : undefined
}

/** Marker → allowed, on the platform or in one game. */
export const mayDo = (person: Person, game?: string): Record<string, boolean> => {
  const counting = active(person).filter(({ scope }) => scope === 'platform' || scope === `game:${game}`)
  return Object.fromEntries(markerNames.map((marker) => [marker, !counting.some(({ code }) => takes[code].includes(marker))]))
}

/** Why the person may not change the profile: the sanction's code, or undefined. A permanent block is named first. */
export const profileRefusal = (person: Person): SanctionCode | undefined =>
  (active(person, 'permanent_block')[0] ?? active(person, 'profile_update_block')[0])?.code

export const fold = (name: string): string => name.toLowerCase()
