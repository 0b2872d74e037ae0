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
  'audit.read',
  'principals.read', 'principals.write',
  'operations.read', 'operations.write',
  'metrics.read'
] as const
export type Permission = (typeof permissions)[number]

export const roles = {
  superadmin: permissions,
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
  auditor: ['audit.read', 'testers.read', 'principals.read', 'operations.read'],
  operator: ['operations.read', 'operations.write', 'metrics.read']
} as const satisfies Record<string, readonly Permission[]>

export type Role = keyof typeof roles

/** True if any of the roles carries the permission. */
export const allows = (held: Iterable<Role>, permission: Permission): boolean => {
  for (const role of held) if ((roles[role] as readonly Permission[]).includes(permission)) return true
  return false
}
