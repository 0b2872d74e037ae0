// Which role may do what: the one table, walked route by route in a test and printed in the reference.

export const permissions = [
  'testers.read', 'testers.write', 'ghosts.reset',
  // Names and addresses in clear in what one may read anyway; without it they are null (ADR 0055).
  'persons.read',
  'accounts.ghost_check', 'accounts.ghost_delete',
  'accounts.resolve', 'accounts.self', 'accounts.read', 'accounts.write', 'accounts.delete',
  // Opening the record of a deleted account: needs a reason, and is itself a fact.
  'accounts.open_deleted',
  'holds.write',
  'lobby.read', 'lobby.write',
  'rotations.read', 'rotations.operate',
  // Of `consumer:{name}`: its own deliveries, and nobody else's.
  'credentials.consume',
  'audit.read',
  'principals.read', 'principals.write',
  'operations.read', 'operations.write',
  'metrics.read'
] as const
export type Permission = (typeof permissions)[number]

export const roles = {
  // What is meant for a consumer is no operator's to take, whatever else he may (decision 34).
  superadmin: permissions.filter((permission) => permission !== 'credentials.consume'),
  'console-users-write': ['testers.read', 'testers.write', 'ghosts.reset', 'persons.read'],
  'console-users-read': ['testers.read', 'persons.read'],
  'accounts-service': ['accounts.ghost_check', 'accounts.ghost_delete'],
  'auth-service': ['accounts.resolve'],
  'gateway-service': ['accounts.self'],
  // Holds are placed on testers as well, who have to be found and read for that.
  admin: ['accounts.read', 'accounts.write', 'accounts.open_deleted', 'holds.write', 'testers.read', 'persons.read'],
  support: ['accounts.read', 'accounts.open_deleted', 'persons.read'],
  'lobby-service': ['lobby.read', 'lobby.write'],
  'admin-service': ['accounts.delete'],
  // Whom to ask, why the step before was taken, and a manifest that can be put again (ADR 0191).
  'rotations-operator': ['rotations.read', 'rotations.operate', 'persons.read'],
  'rotations-read': ['rotations.read'],
  auditor: ['audit.read', 'testers.read', 'principals.read', 'operations.read'],
  operator: ['operations.read', 'operations.write', 'metrics.read']
} as const satisfies Record<string, readonly Permission[]>

/** `consumer:{name}`: one role for each consumer of credentials (decision 34). */
export type ConsumerRole = `consumer:${string}`
export type NamedRole = keyof typeof roles
export type Role = NamedRole | ConsumerRole

const ofConsumer: readonly Permission[] = ['credentials.consume']
const consumerRole = /^consumer:[a-z][a-z0-9-]{0,47}$/

export const isConsumerRole = (text: string): text is ConsumerRole => consumerRole.test(text)
/** True for every role that the program knows. */
export const isRole = (text: string): text is Role => Object.hasOwn(roles, text) || isConsumerRole(text)
export const consumerRoleOf = (consumer: string): ConsumerRole => `consumer:${consumer}`

/** True if any of the roles carries the permission. */
export const allows = (held: Iterable<Role>, permission: Permission): boolean => {
  for (const role of held) if ((isConsumerRole(role) ? ofConsumer : roles[role] as readonly Permission[]).includes(permission)) return true
  return false
}
