// Intents and their outcomes: which facts announce something that has to end, and which facts end it.
import type { ChanceryEvent, EventType } from './catalogue.ts'
import { rotationEvents } from './rotation/events.ts'

type DataOf<T extends EventType> = Extract<ChanceryEvent, { type: T }>['data']
/** What tells one intent from another of its kind; undefined if this fact does not count. */
type IdOf<T extends EventType> = (data: DataOf<T>) => string | undefined
type Followers = { readonly [T in EventType]?: IdOf<T> }

interface Intent<T extends EventType> {
  id: IdOf<T>
  /** Any of them ends it. Without one it is listed as open. */
  outcomes: Followers
  /** Facts on the way: it stays open. */
  steps?: Followers
}

/** Every fact of a rotation between its opening and its end. */
const stepsOfRotation = Object.fromEntries(Object.keys(rotationEvents)
  .filter((type) => !['rotation.opened', 'rotation.done', 'rotation.aborted'].includes(type))
  .map((type) => [type, ({ rotationId }: { rotationId: string }) => rotationId])) as Followers

/** The list. A new intent is one entry here, and a higher version of the read model `audit`. */
const intents: { readonly [T in EventType]?: Intent<T> } = {
  'mail.requested': {
    id: ({ mailId }) => mailId,
    steps: { 'mail.attempted': ({ mailId }) => mailId },
    outcomes: { 'mail.sent': ({ mailId }) => mailId, 'mail.failed': ({ mailId, final }) => final ? mailId : undefined }
  },
  'console.beta.ghost_reset.initiated': {
    id: ({ resetId }) => resetId,
    steps: { 'account.ghost_reset': ({ resetId }) => resetId },
    outcomes: {
      'console.beta.ghost_reset.completed': ({ resetId }) => resetId,
      'console.beta.ghost_reset.refused': ({ resetId }) => resetId
    }
  },
  'user.enrolment.challenge_used': {
    id: ({ challengeId }) => challengeId,
    outcomes: {
      'user.passkey_registered': ({ challengeId }) => challengeId,
      'user.enrolment.verification_failed': ({ challengeId }) => challengeId
    }
  },
  // A reservation announces the aggregate that it names (decision 6).
  'tester_email.reserved': {
    id: ({ testerId }) => testerId,
    outcomes: { 'tester.invited': ({ testerId }) => testerId, 'tester.imported': ({ testerId }) => testerId }
  },
  'email.claimed': {
    id: ({ userId }) => userId,
    outcomes: {
      'user.created': ({ userId }) => userId,
      'user.imported': ({ userId }) => userId,
      'user.registered': ({ userId }) => userId,
      'email.released': ({ userId }) => userId
    }
  },
  'user_name.claimed': {
    id: ({ claimId }) => claimId,
    outcomes: { 'user.profile_updated': ({ claimId }) => claimId, 'user.user_name_claim_voided': ({ claimId }) => claimId }
  },
  'user.erasure_started': {
    id: ({ erasureId }) => erasureId,
    outcomes: { 'account.purged': ({ erasureId }) => erasureId }
  },
  'tester.erasure_started': {
    id: ({ erasureId }) => erasureId,
    outcomes: { 'tester.purged': ({ erasureId }) => erasureId }
  },
  'lifecycle.epoch_begun': {
    id: ({ epochId }) => epochId,
    outcomes: { 'lifecycle.epoch_completed': ({ epochId }) => epochId }
  },
  'rotation.opened': {
    id: ({ rotationId }) => rotationId,
    steps: stepsOfRotation,
    outcomes: { 'rotation.done': ({ rotationId }) => rotationId, 'rotation.aborted': ({ rotationId }) => rotationId }
  },
  'rotation.owner_mail_requested': {
    id: ({ mailId }) => mailId,
    steps: { 'rotation.owner_mail_attempted': ({ mailId }) => mailId },
    outcomes: { 'rotation.owner_mail_sent': ({ mailId }) => mailId, 'rotation.owner_mail_failed': ({ mailId, final }) => final ? mailId : undefined }
  },
  'credential.value_superseded': {
    id: ({ valueId }) => valueId,
    outcomes: { 'credential.value_destroyed': ({ valueId }) => valueId }
  },
  // Decided in the roster, carried out in the principal's stream.
  'superadmin.token_withdrawn': {
    id: ({ tokenId }) => tokenId,
    outcomes: { 'principal.token_revoked': ({ tokenId }) => tokenId }
  }
}

/** What one fact means for intents. */
export interface IntentMove { intent: EventType, id: string, move: 'opens' | 'steps' | 'settles' }

type Move = (data: never) => IntentMove | undefined

const moves = new Map<string, Move[]>()
const add = (type: string, intent: EventType, move: IntentMove['move'], idOf: (data: never) => string | undefined): void => {
  const known = moves.get(type) ?? []
  moves.set(type, [...known, (data) => {
    const id = idOf(data)
    return id === undefined ? undefined : { intent, id, move }
  }])
}
for (const [type, intent] of Object.entries(intents) as Array<[EventType, Intent<EventType>]>) {
  add(type, type, 'opens', intent.id)
  for (const [step, id] of Object.entries(intent.steps ?? {})) add(step, type, 'steps', id)
  for (const [outcome, id] of Object.entries(intent.outcomes)) add(outcome, type, 'settles', id)
}

/** The intents that a fact opens, brings a step further or settles. */
export const intentMovesOf = ({ type, data }: ChanceryEvent): IntentMove[] =>
  (moves.get(type) ?? []).map((move) => move(data as never)).filter((move) => move !== undefined)
