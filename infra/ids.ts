// Ids: time-ordered new ones and derived ones (RFC 9562, versions 7 and 5).
import { v5, v7 } from 'uuid'
import type { Ids } from '../src/ports.ts'

/** Namespace of every derived id; changing it would change them all. */
const NAMESPACE = '6f1f3f52-3d5c-5c3e-9d39-6f0f5b7d6a10'

export const uuidIds: Ids = {
  next: () => v7(),
  derive: (...words) => v5(words.join(':'), NAMESPACE)
}
