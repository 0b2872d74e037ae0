// What may be decided about an account, as data: sanctions with the markers they take away, limits with their defaults.
import { Type } from '@sinclair/typebox'

/** What an account may do, each a `can_…` marker of the eligibility answer (seed 003). */
export const markers = ['can_login', 'can_create_private_game', 'can_manage_private_game', 'can_join_game', 'can_update_profile'] as const
export type Marker = (typeof markers)[number]

interface SanctionKind {
  takes: readonly Marker[]
  /** Whether it may be applied to one game alone. */
  games: boolean
  /** Whether it may end by itself; a permanent block may not (decision 29). */
  expires: boolean
  meaning: string
}

/** Code → which markers it takes away (seed 003). */
export const sanctionCatalogue = {
  login_block: { takes: ['can_login'], games: false, expires: true, meaning: 'No sign-in.' },
  private_game_create_block: { takes: ['can_create_private_game'], games: false, expires: true, meaning: 'No new private games.' },
  private_game_manage_block: { takes: ['can_manage_private_game'], games: true, expires: true, meaning: 'No managing of private games.' },
  game_join_block: { takes: ['can_join_game'], games: true, expires: true, meaning: 'No joining of games.' },
  profile_update_block: { takes: ['can_update_profile'], games: false, expires: true, meaning: 'No changes of profile and settings.' },
  permanent_block: { takes: markers, games: false, expires: false, meaning: 'Nothing any more; the account stays on record.' }
} as const satisfies Record<string, SanctionKind>
export type SanctionCode = keyof typeof sanctionCatalogue
export const sanctionCodes = Object.keys(sanctionCatalogue) as SanctionCode[]

/** Code → the value that holds for an account without one of its own. */
export const limitCatalogue = {
  max_registered_race_names: { default: 1, meaning: 'Race names registered at a time.' },
  max_owned_private_games: { default: 3, meaning: 'Private games owned at a time.' },
  max_active_private_games: { default: 3, meaning: 'Private games running at a time.' },
  max_pending_public_applications: { default: 3, meaning: 'Applications to public games that wait for an answer.' },
  max_pending_private_join_requests: { default: 3, meaning: 'Requests to join private games that wait for an answer.' },
  max_pending_private_invites_sent: { default: 10, meaning: 'Invitations to private games that wait for an answer.' },
  max_active_game_memberships: { default: 10, meaning: 'Games played at a time.' }
} as const satisfies Record<string, { default: number, meaning: string }>
export type LimitCode = keyof typeof limitCatalogue
export const limitCodes = Object.keys(limitCatalogue) as LimitCode[]

const oneOf = <T extends string>(values: readonly T[]) => Type.Unsafe<T>(Type.Union(values.map((value) => Type.Literal(value))))

export const SanctionCode = oneOf(sanctionCodes)
export const LimitCode = oneOf(limitCodes)
/** `platform` or `game:{id}` (decision 29). */
export const SanctionScope = () => Type.String({ pattern: '^(platform|game:[A-Za-z0-9_-]{1,64})$', maxLength: 69 })
/** BCP 47, in the part of it that products use. */
export const LanguageTag = () => Type.String({ pattern: '^[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|\\d{3}))?$', maxLength: 16 })
/** A name of the IANA time zone database. */
export const TimeZone = () => Type.String({ pattern: '^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+){0,2}$', maxLength: 64 })
