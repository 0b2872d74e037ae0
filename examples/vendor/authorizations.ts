// What the vendor knows: tokens with a description, who may mint, and how often something was written.
import { randomBytes, randomUUID } from 'node:crypto'

export interface Authorization {
  id: string
  description: string
  /** `global` may mint, list and revoke; `read` may only say who it is. */
  scope: 'global' | 'read'
  token: string
  createdAt: Date
  expiresAt: Date | undefined
  lastUsedAt: Date | undefined
}

export const createAuthorizations = () => {
  const byId = new Map<string, Authorization>()
  let writes = 0

  const works = ({ expiresAt }: Authorization): boolean => expiresAt === undefined || Date.now() < expiresAt.getTime()
  const make = ({ description, scope = 'read', token = `vnd_${randomBytes(24).toString('base64url')}`, expiresIn }: {
    description: string, scope?: Authorization['scope'], token?: string, expiresIn?: number | undefined
  }): Authorization => {
    const authorization: Authorization = {
      id: randomUUID(), description, scope, token, createdAt: new Date(),
      expiresAt: expiresIn === undefined ? undefined : new Date(Date.now() + expiresIn * 1000), lastUsedAt: undefined
    }
    byId.set(authorization.id, authorization)
    return authorization
  }

  return {
    /** By hand, so not counted. */
    make,
    kill: (id: string): boolean => byId.delete(id),
    /** Whose token it is, if it works; it counts as used. */
    use: (token: string): Authorization | undefined => {
      const found = [...byId.values()].find((authorization) => authorization.token === token && works(authorization))
      if (found !== undefined) found.lastUsedAt = new Date()
      return found
    },
    list: (): Authorization[] => [...byId.values()].filter(works),
    mint: (of: { description: string, scope: Authorization['scope'], expiresIn?: number | undefined }): Authorization => {
      writes++
      return make(of)
    },
    revoke: (id: string): Authorization | undefined => {
      const found = byId.get(id)
      if (found === undefined) return undefined
      writes++
      byId.delete(id)
      return found
    },
    /** Everything that changed something here, asked for over the API. */
    writes: (): number => writes
  }
}
export type Authorizations = ReturnType<typeof createAuthorizations>
