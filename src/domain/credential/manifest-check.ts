// What is wrong with a manifest beyond its schema: everything at once, each error with its place.
import { Refusal } from '../codes.ts'
import type { Manifest, Subscriber, VendorSettings } from './manifest.ts'

/** `path` is a JSON pointer (RFC 6901) into the manifest; the message never repeats what was written there. */
export interface ManifestError { path: string, message: string }

export const manifestInvalid = (errors: readonly ManifestError[]): Refusal =>
  new Refusal('manifest_invalid', `The manifest has ${errors.length === 1 ? 'an error' : `${errors.length} errors`}: mend them all, then put it again. Nothing was recorded.`, { errors })

/** All that the manifest itself shows to be wrong; what the vendor says to it comes besides (`Vendors.check`). */
export const checkManifest = (credential: string, manifest: Manifest): ManifestError[] => [
  ...checkConnection(credential, manifest),
  ...checkTemplates(manifest.vendor),
  ...checkTimes(manifest),
  ...checkSize(manifest),
  ...checkConsumers(manifest.consumers)
]

const checkConnection = (credential: string, { vendor, connection }: Manifest): ManifestError[] => {
  const path = '/connection'
  if (vendor.kind === 'manual' || vendor.kind === 'chancery-token') {
    return connection === undefined ? [] : [{ path, message: `A vendor of the kind ${vendor.kind} needs no connection: leave it out.` }]
  }
  if (connection === undefined) return [{ path, message: `A vendor of the kind ${vendor.kind} needs a connection, which mints, lists and revokes.` }]
  return 'credential' in connection && connection.credential === credential
    ? [{ path: `${path}/credential`, message: 'A credential cannot mint and revoke itself: name another credential, or an account.' }]
    : []
}

const checkTemplates = (vendor: VendorSettings): ManifestError[] => {
  if (vendor.kind === 'manual') return [...withValue('/vendor/authenticate', vendor.authenticate), ...vendor.metadata === undefined ? [] : withValue('/vendor/metadata', vendor.metadata)]
  if (vendor.kind !== 'http') return []
  const byConnection = { '/vendor/mayMint': vendor.mayMint, '/vendor/mint/call': vendor.mint.call, '/vendor/list/call': vendor.list.call, '/vendor/revoke': vendor.revoke }
  return [
    ...withValue('/vendor/authenticate', vendor.authenticate),
    ...withValue('/vendor/metadata', vendor.metadata),
    ...Object.entries(byConnection).flatMap(([path, call]) => holds(call, '{{connection}}') ? [] : [{ path, message: 'This call goes with the connection: {{connection}} has to stand in it.' }]),
    ...holds(vendor.revoke, '{{token_id}}') || holds(vendor.revoke, '{{value}}') ? [] : [{ path: '/vendor/revoke', message: 'It has to say which token: {{token_id}} has to stand in it.' }]
  ]
}

const holds = (call: object, placeholder: string): boolean => JSON.stringify(call).includes(placeholder)
const withValue = (path: string, call: object): ManifestError[] =>
  holds(call, '{{value}}') ? [] : [{ path, message: 'This call tries the credential itself: {{value}} has to stand in it.' }]

const checkTimes = ({ lifetimeDays, leadDays }: Manifest): ManifestError[] => lifetimeDays !== undefined && leadDays >= lifetimeDays
  ? [{ path: '/leadDays', message: 'The lead has to be shorter than the lifetime, or a rotation would always be due.' }]
  : []

/** What the log takes in one append, without room for what stands beside a manifest: the sealed owner and reason, metadata, another fact. In bytes. */
const MAX_BYTES = 1_048_576 - 32_768

const checkSize = ({ owner: _, ...manifest }: Manifest): ManifestError[] => {
  const bytes = Buffer.byteLength(JSON.stringify(manifest))
  return bytes > MAX_BYTES ? [{ path: '', message: `The manifest is ${bytes} bytes long and may be ${MAX_BYTES}: shorten the addresses, or make two credentials of it.` }] : []
}

const checkConsumers = (consumers: readonly Subscriber[]): ManifestError[] => {
  const seen = new Set<string>()
  const users = new Map<string, string>()
  /** One answer must not prove for two. */
  const checkAddress = (path: string, consumer: string, text: string): ManifestError[] => {
    const errors = checkUrl(path, text)
    if (errors.length > 0) return errors
    const { href } = new URL(text)
    const other = users.get(href)
    if (other !== undefined && other !== consumer) return [{ path, message: `The consumer ${other} has this address already: each has its own, or one would answer for the other.` }]
    users.set(href, consumer)
    return []
  }
  return consumers.flatMap((subscriber, at) => {
    const path = `/consumers/${at}`
    const { consumer, required, delivery, healthcheck, proof } = subscriber
    const errors: ManifestError[] = []
    if (seen.has(consumer)) errors.push({ path: `${path}/consumer`, message: `The consumer ${consumer} is named twice.` })
    seen.add(consumer)
    if (required && proof.kind === 'none') errors.push({ path: `${path}/proof`, message: 'A required consumer has to prove possession: revoking waits for it.' })
    if (delivery.kind === 'push') errors.push(...checkAddress(`${path}/delivery/url`, consumer, delivery.url))
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
