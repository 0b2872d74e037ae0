// What is wrong with a manifest beyond its schema: everything at once, each error with its place.
import { Refusal } from '../codes.ts'
import type { Manifest } from './manifest.ts'
import type { ManifestParts, SubscriberParts, VendorParts } from './manifest-parts.ts'

/** `path` is a JSON pointer (RFC 6901) into the manifest; the message never repeats what was written there. */
export interface ManifestError { path: string, message: string }

/** @param beside what is wrong in the request beside the manifest */
export const manifestInvalid = (errors: readonly ManifestError[], beside: readonly ManifestError[] = []): Refusal => {
  const many = errors.length === 1 ? 'an error' : `${errors.length} errors`
  return new Refusal('manifest_invalid', `The manifest has ${many}${beside.length > 0 ? ', and so has what was sent beside it' : ''}: mend them all, then put it again. Nothing was recorded.`, { errors: [...beside, ...errors] })
}

/** All that the parts themselves show to be wrong; what the vendor says to them comes besides (`Vendors.check`). */
export const checkManifest = (credential: string, manifest: ManifestParts): ManifestError[] => [
  ...checkConnection(credential, manifest),
  ...checkTemplates(manifest.vendor),
  ...checkTimes(manifest),
  ...checkConsumers(manifest.consumers ?? [])
]

const checkConnection = (credential: string, { vendor, connection }: ManifestParts): ManifestError[] => {
  const path = '/connection'
  if (vendor === undefined) return connectsItself(credential, connection)
  if (vendor.kind === 'manual' || vendor.kind === 'chancery-token') {
    return connection === undefined ? [] : [{ path, message: `A vendor of the kind ${vendor.kind} needs no connection: leave it out.` }]
  }
  if (connection === undefined) return [{ path, message: `A vendor of the kind ${vendor.kind} needs a connection, which mints, lists and revokes.` }]
  return connectsItself(credential, connection)
}

const connectsItself = (credential: string, connection: ManifestParts['connection']): ManifestError[] =>
  connection !== undefined && 'credential' in connection && connection.credential === credential
    ? [{ path: '/connection/credential', message: 'A credential cannot mint and revoke itself: name another credential, or an account.' }]
    : []

const checkTemplates = (vendor: VendorParts | undefined): ManifestError[] => {
  if (vendor?.kind !== 'http' && vendor?.kind !== 'manual') return []
  const byValue = [...withValue('/vendor/authenticate', vendor.authenticate), ...withValue('/vendor/metadata', vendor.metadata)]
  if (vendor.kind === 'manual') return byValue
  const { mayMint, mint, list, revoke } = vendor
  const byConnection = { '/vendor/mayMint': mayMint, '/vendor/mint/call': mint?.call, '/vendor/list/call': list?.call, '/vendor/revoke': revoke }
  return [
    ...byValue,
    ...Object.entries(byConnection).flatMap(([path, call]) => call === undefined || holds(call, '{{connection}}') ? [] : [{ path, message: 'This call goes with the connection: {{connection}} has to stand in it.' }]),
    ...revoke === undefined || holds(revoke, '{{token_id}}') || holds(revoke, '{{value}}') ? [] : [{ path: '/vendor/revoke', message: 'It has to say which token: {{token_id}} has to stand in it.' }]
  ]
}

const holds = (call: object, placeholder: string): boolean => JSON.stringify(call).includes(placeholder)
const withValue = (path: string, call: object | undefined): ManifestError[] =>
  call === undefined || holds(call, '{{value}}') ? [] : [{ path, message: 'This call tries the credential itself: {{value}} has to stand in it.' }]

const checkTimes = ({ lifetimeDays, leadDays }: ManifestParts): ManifestError[] => lifetimeDays !== undefined && leadDays !== undefined && leadDays >= lifetimeDays
  ? [{ path: '/leadDays', message: 'The lead has to be shorter than the lifetime, or a rotation would always be due.' }]
  : []

/** What the log takes in one append, without room for what stands beside a manifest: the sealed owner and reason, metadata, another fact. In bytes. */
const MAX_BYTES = 1_048_576 - 32_768

/** Of the whole manifest. */
export const checkSize = ({ owner: _, ...manifest }: Manifest): ManifestError[] => {
  const bytes = Buffer.byteLength(JSON.stringify(manifest))
  return bytes > MAX_BYTES ? [{ path: '', message: `The manifest is ${bytes} bytes long and may be ${MAX_BYTES}: shorten the addresses, or make two credentials of it.` }] : []
}

const checkConsumers = (consumers: readonly SubscriberParts[]): ManifestError[] => {
  const seen = new Set<string>()
  const users = new Map<string, string>()
  /** One answer must not prove for two. */
  const checkAddress = (path: string, consumer: string | undefined, text: string | undefined): ManifestError[] => {
    if (text === undefined) return []
    const errors = checkUrl(path, text)
    if (errors.length > 0) return errors
    const { href } = new URL(text)
    if (consumer === undefined) return []
    const other = users.get(href)
    if (other !== undefined && other !== consumer) return [{ path, message: `The consumer ${other} has this address already: each has its own, or one would answer for the other.` }]
    users.set(href, consumer)
    return []
  }
  return consumers.flatMap((subscriber, at) => {
    const path = `/consumers/${at}`
    const { consumer, required, delivery, healthcheck, proof } = subscriber
    const errors: ManifestError[] = []
    if (consumer !== undefined && seen.has(consumer)) errors.push({ path: `${path}/consumer`, message: `The consumer ${consumer} is named twice.` })
    if (consumer !== undefined) seen.add(consumer)
    if (required === true && proof?.kind === 'none') errors.push({ path: `${path}/proof`, message: 'A required consumer has to prove possession: revoking waits for it.' })
    if (delivery?.kind === 'push') errors.push(...checkAddress(`${path}/delivery/url`, consumer, delivery.url))
    errors.push(...checkAddress(`${path}/healthcheck`, consumer, healthcheck))
    return errors
  })
}

const checkUrl = (path: string, text: string): ManifestError[] => {
  if (!URL.canParse(text)) return [{ path, message: 'This is not an address.' }]
  const { username, password, hash } = new URL(text)
  if (username !== '' || password !== '') return [{ path, message: 'An address with a user name or a password in it is not taken.' }]
  return hash === '' ? [] : [{ path, message: 'An address with a fragment (#…) is not taken.' }]
}
