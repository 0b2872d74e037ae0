// Tells whether two secrets are the same, in a time that says nothing of either.
import { createHash, timingSafeEqual } from 'node:crypto'
import type { Secret } from '../../src/domain/credential/secret.ts'

export const isSame = (one: Secret, other: Secret): boolean => timingSafeEqual(digestOf(one), digestOf(other))

const digestOf = (secret: Secret): Buffer => createHash('sha256').update(secret.reveal(), 'utf8').digest()
