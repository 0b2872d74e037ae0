// Use cases on a credential itself: its manifest, and the value that is in use.
import { canonical } from '../../domain/credential/canonical.ts'
import { credentialAggregate } from '../../domain/credential/credential.ts'
import { checkManifest, checkSize, manifestInvalid, type ManifestError } from '../../domain/credential/manifest-check.ts'
import type { Manifest } from '../../domain/credential/manifest.ts'
import { isWhole, type ManifestParts } from '../../domain/credential/manifest-parts.ts'
import type { Secret } from '../../domain/credential/secret.ts'
import { connectedAddresses, leadsTo } from '../../domain/credential/vendor-address.ts'
import { refuse } from '../../domain/codes.ts'
import type { Credential } from '../../domain/credential/state.ts'
import type { Instant } from '../../domain/event.ts'
import { adopt, checkNext, letGo, putManifestOn } from '../../domain/rotation/open.ts'
import type { CommandContext } from '../context.ts'
import { notReused } from '../execute.ts'
import { checkedTicket, type CredentialReceipt, type RotationDeps } from './deps.ts'

/**
 * Puts a version of the manifest, which holds at once, also for an open rotation. The ticket is the context's.
 * @throws Refusal `manifest_invalid` with `errors`, `ticket_invalid`, `ticket_not_open`, `rotation_open` (another vendor while a new token exists)
 */
export const putManifest = async (
  deps: RotationDeps, { credential: name, manifest, ifMatch }: { credential: string, manifest: Manifest, ifMatch?: bigint }, context: CommandContext
): Promise<CredentialReceipt> => {
  const { aggregates, rules } = deps
  const { state, commands } = await aggregates.current(credentialAggregate, name)
  const repeated = commands.has(context.commandId)
  if (!repeated) {
    const errors = [...await manifestErrors(deps, name, manifest), ...checkSize(manifest)]
    if (errors.length > 0) throw manifestInvalid(errors)
  }
  const ticket = repeated || letGo(state, manifest).length === 0 ? undefined : await checkedTicket(deps, context)
  return aggregates.execute({
    aggregate: credentialAggregate, id: name, context, ...ifMatch !== undefined && { ifMatch },
    decide: (credential) => putManifestOn(credential, { name, manifest, ticket, at: context.at, graceMs: rules.valueGraceMs })
  })
}

/** All that is wrong with what there is of a manifest, also where its other parts have not the form that they need. */
export const manifestErrors = async (deps: RotationDeps, name: string, manifest: ManifestParts): Promise<ManifestError[]> => {
  const { state } = await deps.aggregates.current(credentialAggregate, name)
  const { vendor } = manifest
  return [
    ...checkManifest(name, manifest),
    ...isWhole(vendor) ? checkNext(state, { vendor }) : [],
    ...await checkConnection(deps, name, manifest, state),
    ...await deps.vendors.check({ credential: name, manifest })
  ]
}

/** A credential that serves as a connection is used at its own vendor, and nowhere else: whoever writes this manifest need not be trusted with it (ADR 0181). */
const checkConnection = async ({ aggregates }: RotationDeps, name: string, { vendor, connection }: ManifestParts, before: Credential): Promise<ManifestError[]> => {
  if (connection === undefined || !('credential' in connection) || connection.credential === name) return []
  const path = '/connection/credential'
  const { state } = await aggregates.current(credentialAggregate, connection.credential)
  if (state.status === 'absent') return [{ path, message: `There is no credential ${connection.credential}: put its manifest first.` }]
  // As at each use (`lendValue`): what counts is where it is sent, not the kind of vendor that its own manifest describes.
  const foreign = connectedAddresses(vendor).some((address) => !leadsTo(state.manifest.vendor, address))
  // A connection that stays as it was keeps no other change from an open rotation; stage 1 looks at what it is.
  const another = before.status === 'known' && canonical(before.manifest.connection) !== canonical(connection)
  return [
    ...another && hasSameValue(before, state) ? [{ path, message: itself(connection.credential) }] : [],
    ...foreign ? [{ path, message: `The credential ${connection.credential} is for other addresses than those that this vendor would send it to: it goes to its own vendor only.` }] : [],
    ...await leadsBack(aggregates, name, state.manifest) ? [{ path, message: `The connections lead in a circle, back to ${name}: none of them could be mended once the values are dead.` }] : []
  ]
}

/** Known by the fingerprint of what was adopted; what a rotation has changed since, stage 1 compares (ADR 0192). */
const hasSameValue = (one: Credential, other: Credential): boolean =>
  one.status === 'known' && other.status === 'known' && one.value !== undefined && one.value.fingerprint === other.value?.fingerprint

const itself = (connection: string): string =>
  `The value of this credential is that of ${connection}, its connection, too: it would revoke itself, and nothing could be minted or revoked any more. Name another connection, with a secret of its own.`

const leadsBack = async (aggregates: RotationDeps['aggregates'], name: string, { connection }: Manifest, seen: readonly string[] = []): Promise<boolean> => {
  if (connection === undefined || !('credential' in connection) || seen.includes(connection.credential)) return false
  if (connection.credential === name) return true
  const { state } = await aggregates.current(credentialAggregate, connection.credential)
  return state.status === 'known' && leadsBack(aggregates, name, state.manifest, [...seen, connection.credential])
}

/**
 * Hands the value in use to the vault.
 * @throws Refusal `subject_not_found` without a manifest, `rotation_open`, `invalid_request` for one that its own connection has
 */
export const adoptValue = async (
  { aggregates, ids, values, rules }: RotationDeps,
  { credential: name, value, vendorTokenId, expiresAt }: { credential: string, value: Secret, vendorTokenId?: string, expiresAt?: Instant }, context: CommandContext
): Promise<CredentialReceipt> => {
  const valueId = ids.derive('adopted', name, context.commandId)
  const adoption = { valueId, fingerprint: values.fingerprint(value), ...vendorTokenId !== undefined && { vendorTokenId }, ...expiresAt !== undefined && { expiresAt } }
  const loaded = await aggregates.current(credentialAggregate, name)
  const repeated = loaded.commands.has(context.commandId)
  if (repeated) notReused(loaded, context)
  else await notItsConnection(aggregates, loaded.state, adoption.fingerprint)
  // The vault row is there before the fact that names it; without the fact nobody knows of it.
  if (!repeated && adopt(loaded.state, adoption, context.at, rules.valueGraceMs).length > 0) await values.put({ valueId, credential: name, secret: value })
  return aggregates.execute({ aggregate: credentialAggregate, id: name, context, decide: (credential) => adopt(credential, adoption, context.at, rules.valueGraceMs) })
}

const notItsConnection = async (aggregates: RotationDeps['aggregates'], credential: Credential, fingerprint: string): Promise<void> => {
  const connection = credential.status === 'known' ? credential.manifest.connection : undefined
  if (connection === undefined || !('credential' in connection)) return
  const { state } = await aggregates.current(credentialAggregate, connection.credential)
  if (state.status === 'known' && state.value?.fingerprint === fingerprint) refuse('invalid_request', itself(connection.credential))
}
