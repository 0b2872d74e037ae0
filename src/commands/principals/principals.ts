// Use cases on principals: making one known, granting and taking away roles.
import { refuse } from '../../domain/codes.ts'
import { Clear } from '../../domain/personal.ts'
import { create, grantRole, known, principalAggregate, revokeRole, usableTokens, type OwnRole, type PrincipalKind } from '../../domain/principal/principal.ts'
import type { Role } from '../../domain/principal/roles.ts'
import { ROSTER, grant, remove, rosterAggregate } from '../../domain/principal/roster.ts'
import type { ExpectedRevision, Ids } from '../../ports.ts'
import type { CommandContext } from '../context.ts'
import { notReused, type Aggregates } from '../execute.ts'

export interface PrincipalDeps { aggregates: Aggregates, ids: Ids }

/** Where a principal's stream stands after a command; the position may be that of the roster's stream. */
export interface PrincipalReceipt { principalId: string, position: bigint, revision: ExpectedRevision }

/** Makes a principal known. Its id derives from the command id, so that a repeated request finds it. */
export const createPrincipal = async (
  { aggregates, ids }: PrincipalDeps, command: { kind: PrincipalKind, name: string, roles: readonly OwnRole[] }, context: CommandContext
): Promise<PrincipalReceipt> => {
  notReused(await aggregates.cached(rosterAggregate, ROSTER), context)
  const principalId = ids.derive('principal', context.commandId)
  const name = new Clear(command.name, `principal-${principalId}`)
  const { position, revision } = await aggregates.execute({
    aggregate: principalAggregate, id: principalId, context, decide: (state) => create(state, { ...command, principalId, name, at: context.at })
  })
  return { principalId, position, revision }
}

export interface RoleCommand { principalId: string, role: Role, ifMatch?: bigint | undefined }

/** Grants a role; granting one that is held changes nothing and is answered all the same. */
export const grantRoleTo = async (deps: PrincipalDeps, command: RoleCommand, context: CommandContext): Promise<PrincipalReceipt> => {
  const { role, principalId } = command
  if (role === 'superadmin') return grantSuperadmin(deps, command, context)
  return changeRole(deps.aggregates, command, context, (state) => grantRole(state, role, context.at), principalId)
}

/** Takes a role away; `last_superadmin` if nobody with a usable token would be left. */
export const revokeRoleFrom = async (deps: PrincipalDeps, command: RoleCommand, context: CommandContext): Promise<PrincipalReceipt> => {
  const { role, principalId } = command
  if (role === 'superadmin') return removeSuperadmin(deps, command, context)
  return changeRole(deps.aggregates, command, context, (state) => revokeRole(state, role, context.at), principalId)
}

const changeRole = async (
  aggregates: Aggregates, { ifMatch }: RoleCommand, context: CommandContext, decide: (state: Parameters<typeof grantRole>[0]) => ReturnType<typeof grantRole>, principalId: string
): Promise<PrincipalReceipt> => {
  notReused(await aggregates.cached(rosterAggregate, ROSTER), context)
  const { position, revision } = await aggregates.execute({
    aggregate: principalAggregate, id: principalId, context, decide, ...ifMatch !== undefined && { ifMatch }
  })
  return { principalId, position, revision }
}

/** Refuses with `precondition_failed` unless the stream is where the caller has seen it: for commands that begin in another stream. */
export const unmoved = (revision: ExpectedRevision, ifMatch: bigint | undefined): void => {
  if (ifMatch === undefined || revision === ifMatch) return
  refuse('precondition_failed', 'The resource changed since it was read. Read it again and decide on what it is now.', { revision: String(revision) })
}

const proven = async (aggregates: Aggregates, { principalId, ifMatch }: RoleCommand, context: CommandContext) => {
  const loaded = await aggregates.current(principalAggregate, principalId)
  known(loaded.state)
  notReused(loaded, context)
  unmoved(loaded.revision, ifMatch)
  return loaded
}

const grantSuperadmin = async ({ aggregates }: PrincipalDeps, command: RoleCommand, context: CommandContext): Promise<PrincipalReceipt> => {
  const { principalId } = command
  const { state, revision } = await proven(aggregates, command, context)
  const { position } = await aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (roster) => grant(roster, principalId, usableTokens(state, context.at), context.at)
  })
  return { principalId, position, revision }
}

const removeSuperadmin = async ({ aggregates }: PrincipalDeps, command: RoleCommand, context: CommandContext): Promise<PrincipalReceipt> => {
  const { principalId } = command
  const { revision } = await proven(aggregates, command, context)
  const { position } = await aggregates.execute({
    aggregate: rosterAggregate, id: ROSTER, context, decide: (roster) => remove(roster, principalId, context.at)
  })
  return { principalId, position, revision }
}
