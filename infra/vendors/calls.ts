// What is wrong with the requests that a manifest describes, in sentences, before any of them is sent.
import type { ManifestError } from '../../src/domain/credential/manifest-check.ts'
import type { HttpCall } from '../../src/domain/credential/manifest.ts'
import type { SubscriberParts, VendorPartsOf } from '../../src/domain/credential/manifest-parts.ts'
import { jsonIn } from '../json.ts'
import type { Failure } from '../outgoing/failures.ts'
import { isTransportHeader, type Outgoing } from '../outgoing/index.ts'
import { bodyKind, fill, namesIn, placeholders, type Placeholder } from './templates.ts'

type HttpSettings = VendorPartsOf<'http'> | VendorPartsOf<'manual'>

/** What each call can be filled with. */
const given = {
  authenticate: ['value'], metadata: ['value'], mayMint: ['connection'], 'mint/call': ['connection', 'label'], 'list/call': ['connection'], revoke: ['connection', 'value', 'token_id']
} as const satisfies Record<string, readonly Placeholder[]>
type CallName = keyof typeof given

const callsOf = (vendor: HttpSettings): Array<[CallName, HttpCall | undefined]> => [
  ['authenticate', vendor.authenticate], ['metadata', vendor.metadata],
  ...vendor.kind === 'manual' ? [] : [['mayMint', vendor.mayMint], ['mint/call', vendor.mint?.call], ['list/call', vendor.list?.call], ['revoke', vendor.revoke]] as Array<[CallName, HttpCall | undefined]>
]

/** All of it at once, each sentence with the place of the call that it is about. */
export const callProblems = (vendor: HttpSettings, outgoing: Pick<Outgoing, 'problem'>): ManifestError[] => {
  const both = (vendor.refusedStatuses ?? []).filter((status) => vendor.authenticate?.expect.includes(status) === true)
  return [
    ...callsOf(vendor).flatMap(([name, call]) => call === undefined ? [] : problemsOf(call, given[name], outgoing).map((message) => ({ path: `/vendor/${name}`, message }))),
    ...(both.length > 0 ? [{ path: '/vendor/refusedStatuses', message: `The expected statuses of authenticate share ${both.join(', ')} with these: a status means either yes or refused.` }] : [])
  ]
}

/** Addresses of consumers to which nothing would ever be sent: better told before a token is minted for them. */
export const consumerProblems = (consumers: readonly SubscriberParts[], outgoing: Pick<Outgoing, 'problem'>): ManifestError[] => consumers.flatMap(({ consumer, delivery, healthcheck }, at) => [
  ...(delivery?.kind === 'push' ? [['delivery/url', delivery.url] as const] : []), ['healthcheck', healthcheck] as const
].flatMap(([what, url]) => {
  const failure = url === undefined ? undefined : outgoing.problem(url)
  return failure === undefined ? [] : [{ path: `/consumers/${at}/${what}`, message: `${consumer ?? 'this consumer'}: ${reasonFor(failure)}` }]
}))

const reasonFor = (failure: Failure): string => reasons[failure] ?? `nothing can be sent to this address (${failure}).`

const problemsOf = (call: HttpCall, allowed: readonly Placeholder[], outgoing: Pick<Outgoing, 'problem'>): string[] => {
  const { url, headers = {}, body, expect } = call
  const found = [...new Set([url, ...Object.values(headers), body ?? ''].flatMap(namesIn))]
  const foreign = found.filter((name) => !allowed.includes(name as Placeholder))
  const sample = fill(call, Object.fromEntries(placeholders.map((name) => [name, 'x'])))
  const failure = 'failure' in sample ? undefined : outgoing.problem(sample.url)
  return [
    ...foreign.map((name) => placeholders.includes(name as Placeholder)
      ? `{{${name}}} cannot stand here, only ${allowed.map((word) => `{{${word}}}`).join(', ')}.`
      : `{{${name}}} is no placeholder; there are ${placeholders.map((word) => `{{${word}}}`).join(', ')}.`),
    ...(/^https?:[/\\]*[^/\\?#]*\{\{/.test(url) ? ['no placeholder may stand in the host: what is sent where must not depend on a secret.'] : []),
    ...(failure === undefined ? [] : [reasonFor(failure)]),
    ...Object.entries(headers).flatMap(([name, value]) => headerProblems(name, value)),
    ...(!('failure' in sample) && sample.body !== undefined && bodyKind(call) === 'json' && jsonIn(sample.body) === undefined ? ['the body is no JSON; placeholders stand within the quotes of a string.'] : []),
    ...(expect.some((status) => status >= 300 && status < 400) ? ['redirects are never followed, so a status of 300 to 399 cannot be expected.'] : [])
  ]
}

const reasons: Readonly<Partial<Record<Failure, string>>> = {
  url_invalid: 'the URL is none.',
  scheme_forbidden: 'the URL has to begin with https://; plain http reaches only this machine, and only with CHANCERY_OUTGOING_HTTP=loopback.',
  credentials_in_url: 'a name or password stands in the URL: a vendor gets its secrets in a header, as {{connection}} or {{value}}.',
  address_forbidden: 'the address is private or special: CHANCERY_OUTGOING_ALLOW has to name it.'
}

const headerProblems = (name: string, value: string): string[] => [
  ...(!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ? [`${JSON.stringify(name)} is no name of a header.`] : []),
  ...(isTransportHeader(name) ? [`the header ${name} is not a manifest's to set.`] : []),
  ...(!/^[\t\x20-\x7e\x80-\xff]*$/.test(value) ? [`the header ${name} holds characters that no header can.`] : [])
]
