// What is wrong with a manifest beyond its schema: everything at once, each error with its place.
import type { Manifest, Subscriber, VendorSettings } from './manifest.ts'

/** `path` is a JSON pointer into the manifest. */
export interface ManifestError { path: string, message: string }

/** All that the manifest itself shows to be wrong; what the vendor says to it comes besides (`Vendors.check`). */
export const checkManifest = (credential: string, manifest: Manifest): ManifestError[] => [
  ...checkConnection(credential, manifest),
  ...checkTemplates(manifest.vendor),
  ...checkTimes(manifest),
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
  if (vendor.kind === 'manual') return withValue('/vendor/authenticate', vendor.authenticate)
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

const checkConsumers = (consumers: readonly Subscriber[]): ManifestError[] => {
  const seen = new Set<string>()
  return consumers.flatMap((subscriber, at) => {
    const path = `/consumers/${at}`
    const { consumer, required, delivery, healthcheck, proof } = subscriber
    const errors: ManifestError[] = []
    if (seen.has(consumer)) errors.push({ path: `${path}/consumer`, message: `The consumer ${consumer} is named twice.` })
    seen.add(consumer)
    if (required && proof.kind === 'none') errors.push({ path: `${path}/proof`, message: 'A required consumer has to prove possession: revoking waits for it.' })
    if (delivery.kind === 'push') errors.push(...checkUrl(`${path}/delivery/url`, delivery.url))
    errors.push(...checkUrl(`${path}/healthcheck`, healthcheck))
    return errors
  })
}

const checkUrl = (path: string, text: string): ManifestError[] => {
  if (!URL.canParse(text)) return [{ path, message: 'This is not an address.' }]
  const { username, password, hash } = new URL(text)
  if (username !== '' || password !== '') return [{ path, message: 'An address with a user name or a password in it is not taken.' }]
  return hash === '' ? [] : [{ path, message: 'An address with a fragment (#…) is not taken.' }]
}
