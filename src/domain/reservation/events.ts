// Facts of values that exist once: a tester's address, an account's address and user name, a passkey's credential id.
import { Type } from '@sinclair/typebox'
import { defineEvent } from '../event.ts'
import { Count, InstantField, Uuid, Word, closed } from '../fields.ts'

/** `testerEmail-{hash}`: the console holds it for the tester throughout (decision 20). */
export const testerEmailEvents = {
  'tester_email.reserved': defineEvent(1, 'The console reserved the address for a tester.', Type.Object({
    testerId: Uuid(), ruleVersion: Count(1000), reservedAt: InstantField()
  }, closed))
}

/** `email-{hash}`: claimed with the account, released by the reset (decision 20). */
export const emailEvents = {
  'email.claimed': defineEvent(1, 'The accounts side claimed the address for an account.', Type.Object({
    userId: Uuid(), ruleVersion: Count(1000), claimedAt: InstantField()
  }, closed)),
  'email.released': defineEvent(1, 'The address is free again.', Type.Object({
    userId: Uuid(), releasedAt: InstantField(), cause: Word()
  }, closed))
}

/** `passkey-{SHA-256 of the credential id}`: a credential id is known to one account at the most. */
export const passkeyEvents = {
  'passkey.reserved': defineEvent(1, 'The credential id was reserved for an account, before its registration.', Type.Object({
    userId: Uuid(), reservedAt: InstantField()
  }, closed))
}

/** `userName-{hash}`: claimed before the profile takes it, released when the profile takes another. */
export const userNameEvents = {
  'user_name.claimed': defineEvent(1, 'The accounts side claimed the user name for an account.', Type.Object({
    userId: Uuid(), claimId: Uuid(), ruleVersion: Count(1000), claimedAt: InstantField()
  }, closed)),
  'user_name.released': defineEvent(1, 'The user name is free again.', Type.Object({
    userId: Uuid(), claimId: Uuid(), releasedAt: InstantField(), cause: Word()
  }, closed))
}
