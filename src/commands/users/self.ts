// What a person changes by themselves: profile and settings, decided under the one rule of eligibility.
import { lacksName, updateSelf as decide, type SelfUpdate } from '../../domain/account/profile.ts'
import { Refusal, refuse } from '../../domain/codes.ts'
import { Clear, type Personal } from '../../domain/personal.ts'
import { userAggregate, type User } from '../../domain/user/user.ts'
import type { ExpectedRevision } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import { subjectOf, type UserDeps } from './deps.ts'
import { claimIdOf, claimName, giveNameBack, releaseName } from './name-claim.ts'
import { withPublicNote } from './notes.ts'
import { requireDisplayName, requireUserName, type UserName } from './user-name.ts'

type Deps = Pick<UserDeps, 'aggregates' | 'ids' | 'keys' | 'vault'>

export interface UpdateSelf {
  userId: string
  userName?: string
  /** null removes it. */
  displayName?: string | null
  preferredLanguage?: string
  timeZone?: string
  ifMatch?: bigint
}

export interface SelfUpdated { userId: string, changed: boolean, revision: ExpectedRevision, position: bigint }

/** The account's name moved while a claim was made: it has to be looked at again. */
class NameMoved extends Error {}

const MAX_ATTEMPTS = 4

/**
 * Refuses with `invalid_request`, `subject_not_found`, `user_name_taken`, and with `conflict` (fields: `reason`,
 * `sanction_id`, `reason_code?`, `public_note?`) where a sanction stands against it.
 */
export const updateSelf = async (deps: Deps, command: UpdateSelf, context: CommandContext): Promise<SelfUpdated> => {
  const wanted = {
    ...command.userName !== undefined && { name: requireUserName(deps.keys, command.userName) },
    ...command.displayName !== undefined && { displayName: command.displayName === null ? null : requireDisplayName(command.displayName) }
  }
  if (command.timeZone !== undefined) requireTimeZone(command.timeZone)
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt++) {
    try {
      return await once(deps, command, wanted, context)
    } catch (error) {
      if (!(error instanceof NameMoved)) throw await withPublicNote(deps, command.userId, error)
    }
  }
  return refuse('conflict', 'The user name keeps changing. Nothing was recorded; send the request again.')
}

interface Wanted { name?: UserName, displayName?: string | null }

const once = async (deps: Deps, command: UpdateSelf, wanted: Wanted, context: CommandContext): Promise<SelfUpdated> => {
  const { aggregates } = deps
  const { userId, preferredLanguage, timeZone, ifMatch } = command
  const { name, displayName } = wanted
  const { at } = context
  const subject = subjectOf(userId)
  // A claim rests on what is proven; whatever else is wished is proven by its own append.
  const before = name === undefined ? await aggregates.cached(userAggregate, userId) : await aggregates.current(userAggregate, userId)
  const repeated = before.commands.has(context.commandId)
  const same = repeated ? { name: false, displayName: false } : await spelt(deps, userId, before.state, wanted)
  const update = (claimId?: string): SelfUpdate => ({
    userId,
    at,
    ...name !== undefined && { userName: { text: new Clear(name.text, subject), hash: name.hash, same: same.name, ...claimId !== undefined && { claimId } } },
    ...displayName !== undefined && { displayName: { text: displayName === null ? null : new Clear(displayName, subject), same: same.displayName } },
    ...preferredLanguage !== undefined && { preferredLanguage },
    ...timeZone !== undefined && { timeZone }
  })

  const refusedAnyway = repeated || (ifMatch !== undefined && ifMatch !== before.revision)
  let claim: { userId: string, hash: string, claimId: string } | undefined
  if (name !== undefined && !refusedAnyway && lacksName(before.state, name.hash)) {
    // Nothing is claimed for a wish that is refused anyway.
    decide(before.state, update())
    claim = { userId, hash: name.hash, claimId: claimIdOf(deps, before.state, name.hash, context) }
    await claimName(deps, claim, context)
  }

  let left: { hash: string, claimId: string } | undefined
  const receipt = await aggregates.execute({
    aggregate: userAggregate,
    id: userId,
    context,
    ...ifMatch !== undefined && { ifMatch },
    decide: (user) => {
      const facts = decide(user, update(claim?.claimId))
      // What was read before the claim has to hold still: only then is the claim a proof.
      if (namesOf(user) !== namesOf(before.state)) throw new NameMoved()
      left = claim === undefined ? undefined : leftBy(user)
      return facts
    }
  }).catch(async (error: unknown) => {
    if (claim !== undefined && error instanceof Refusal) await giveNameBack(deps, claim, context).catch(() => {})
    throw error
  })
  if (left !== undefined && !receipt.replayed) await releaseName(deps, left, context)
  return { userId, changed: receipt.events.length > 0, revision: receipt.revision, position: receipt.position }
}

/** Whether the account has the names as they are spelt here. */
const spelt = async ({ vault }: Deps, userId: string, user: User, { name, displayName }: Wanted): Promise<{ name: boolean, displayName: boolean }> => {
  const account = user.status === 'present' ? user.account : undefined
  const reads = async (sealed: Personal | undefined, text: string | null | undefined): Promise<boolean> => {
    if (sealed === undefined || typeof text !== 'string') return false
    const opened = await vault.open(sealed, subjectOf(userId))
    return opened.status === 'open' && opened.text === text
  }
  const [first, second] = await Promise.all([reads(account?.userName, name?.text), reads(account?.displayName, displayName)])
  return { name: first, displayName: second }
}

/** Tells apart what the account's stream said of its names. */
const namesOf = (user: User): string => {
  if (user.status !== 'present') return user.status
  const { nameRevision, displayName } = user.account
  return `${String(nameRevision)} ${displayName === undefined || displayName instanceof Clear ? '' : displayName.at}`
}

/** The name that the account has until now, and the claim that holds it. */
const leftBy = (user: User) => {
  const { userNameHash: hash, userNameClaim: claimId } = user.status === 'present' ? user.account : {}
  return hash === undefined || claimId === undefined ? undefined : { hash, claimId }
}

const requireTimeZone = (timeZone: string): void => {
  try {
    Intl.DateTimeFormat('en', { timeZone })
  } catch {
    refuse('invalid_request', 'There is no such time zone. Send a name of the IANA database, such as Europe/Berlin.')
  }
}
