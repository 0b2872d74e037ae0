// What the principals' routes take and give.
import { Type, type Static } from '@sinclair/typebox'
import { permissions, roles, type ConsumerRole, type NamedRole, type Permission } from '../../domain/principal/roles.ts'
import { Accepted, closed, DecimalString, FreeText, Id, Limit, Page, Time } from './shared.ts'

const roleNames = Object.keys(roles) as NamedRole[]
/** One for each consumer of credentials. */
const ConsumerRoleName = () => Type.Unsafe<ConsumerRole>({ type: 'string', pattern: '^consumer:[a-z][a-z0-9-]{0,47}$' })
const RoleName = () => Type.Union([...roleNames.map((role) => Type.Literal(role)), ConsumerRoleName()])
const OwnRoleName = () => Type.Union([...roleNames.filter((role) => role !== 'superadmin').map((role) => Type.Literal(role)), ConsumerRoleName()])
const PermissionName = () => Type.Union(permissions.map((permission: Permission) => Type.Literal(permission)))
const Kind = () => Type.Union([Type.Literal('operator'), Type.Literal('service')])
const Label = () => Type.String({ pattern: '^[a-z][a-z0-9_.]*$', maxLength: 64 })

export const PrincipalParams = Type.Object({ principal_id: Id() }, closed)
export const RoleParams = Type.Object({ principal_id: Id(), role: RoleName() }, closed)
export const TokenParams = Type.Object({ principal_id: Id(), token_id: Id() }, closed)

export const CreatePrincipalBody = Type.Object({
  name: FreeText(200, 'Who or what it is; kept sealed'),
  kind: Kind(),
  roles: Type.Optional(Type.Array(OwnRoleName(), { maxItems: roleNames.length, uniqueItems: true, description: 'superadmin is granted by its own request' }))
}, closed)
export const PrincipalAccepted = Accepted({ principal_id: Id() })

export const IssueTokenBody = Type.Object({
  label: Type.Optional(Label()),
  expires_at: Type.Optional(Time())
}, closed)
export const TokenIssued = Accepted({
  principal_id: Id(),
  token_id: Id(),
  expires_at: Type.Optional(Time()),
  token: Type.Optional(Type.String({ maxLength: 200, description: 'Shown this once' })),
  token_withheld: Type.Optional(Type.Literal(true, { description: 'The request was a repetition: the token was shown the first time' }))
})

const tokenItem = {
  token_id: Id(), label: Type.Optional(Type.String({ pattern: '^[a-z][a-z0-9_.:-]*$', maxLength: 128 })), issued_at: Time(), expires_at: Type.Optional(Time()), revoked_at: Type.Optional(Time()), usable: Type.Boolean()
}
export const TokenList = Type.Object({ items: Type.Array(Type.Object(tokenItem, closed), { maxItems: 100_000 }), next_cursor: Type.Null() }, closed)
export type TokenItem = Static<typeof TokenList>['items'][number]

const principalItem = {
  principal_id: Id(),
  kind: Kind(),
  name: Type.Union([Type.String({ maxLength: 200 }), Type.Null()], { description: 'null once it was erased, and without the right `persons.read`' }),
  roles: Type.Array(RoleName(), { maxItems: roleNames.length }),
  usable_tokens: Type.Integer({ minimum: 0, maximum: 1000 }),
  created_at: Time()
}
export const PrincipalAnswer = Accepted(principalItem)
export const PrincipalQuery = Type.Object({ cursor: Type.Optional(DecimalString()), limit: Type.Optional(Limit()) }, closed)
export const PrincipalPage = Page({ ...principalItem, position: DecimalString() })

export const Me = Type.Object({
  principal_id: Id(), kind: Kind(), token_id: Id(),
  roles: Type.Array(RoleName(), { maxItems: roleNames.length }),
  permissions: Type.Array(PermissionName(), { maxItems: permissions.length })
}, closed)
