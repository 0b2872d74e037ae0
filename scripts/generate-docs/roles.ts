// docs/reference/roles.md: which role may do what.
import { allows, permissions, roles, type Permission } from '../../src/domain/principal/roles.ts'
import { code, opening, table } from './markdown.ts'

export const rolesPage = (): string => {
  const held = Object.values<readonly Permission[]>(roles)
  return [
    opening('Roles and permissions', 'src/domain/principal/roles.ts',
      'A principal holds any number of roles. Which permission a route asks for stands in [the routes](routes.md).'),
    table(['permission', ...Object.keys(roles).map(code), code('consumer:{name}')], permissions.map((permission) =>
      [code(permission), ...held.map((list) => list.includes(permission) ? 'yes' : ''), allows(['consumer:name'], permission) ? 'its own' : ''])),
    '`consumer:{name}` is one role for each consumer of credentials: it opens what is meant for the consumer of that name, and no other role does.\n',
    '`superadmin` is granted and taken in one stream of its own, `roster-superadmin`, so that the last one with a usable token stays.\n'
  ].join('\n')
}
