// One credential as a person reads it: whose it is, which value is in use, who uses it, and what is going on.
import type { Terminal } from '../terminal.ts'

export interface CredentialPage {
  credential: string
  manifest_version: number
  manifest: {
    vendor: { kind: string, instructions?: string }
    connection?: { account: string } | { credential: string }
    sensitivity: string
    owner: { name: string | null, email: string | null }
    lifetime_days?: number
    lead_days: number
    consumers: Array<{ consumer: string, required: boolean, delivery: { kind: string, url?: string }, healthcheck: string, proof: { kind: string } }>
  }
  value: { vendor_token_id: string | null, fingerprint: string, since: string, expires_at: string | null } | null
  due_at: string | null
  last_completed_at: string | null
  open_rotation: { rotation_id: string, state: string } | null
}

export const printCredential = (terminal: Terminal, { credential, manifest_version: version, manifest, value, ...page }: CredentialPage, etag: string | undefined): void => {
  const { connection, owner } = manifest
  terminal.table(['credential', credential], [
    ['manifest', `version ${version}${etag === undefined ? '' : `, revision ${etag.replaceAll('"', '')}`}`],
    ['vendor', manifest.vendor.kind],
    ['connection', connection === undefined ? 'none' : 'account' in connection ? `account ${connection.account}` : `credential ${connection.credential}`],
    ['sensitivity', manifest.sensitivity],
    ['owner', owner.name === null ? 'not shown to you' : `${owner.name} <${owner.email ?? ''}>`],
    ['rotated', `${manifest.lifetime_days === undefined ? '' : `every ${manifest.lifetime_days} days, `}${manifest.lead_days} days before it expires`],
    ['due', page.due_at ?? 'not known'],
    ['last rotated', page.last_completed_at ?? 'never'],
    ...value === null
      ? [['value', `none yet: chancery credentials adopt ${credential}`]]
      : [['value', `${value.vendor_token_id ?? 'without an id'}, since ${value.since}${value.expires_at === null ? '' : `, expires ${value.expires_at}`}`], ['fingerprint', value.fingerprint]],
    ['open rotation', page.open_rotation === null ? 'none' : `${page.open_rotation.state}: chancery rotate ${credential}`]
  ])
  terminal.section(['CONSUMER', 'REQUIRED', 'BY', 'PROOF', 'HEALTHCHECK'], manifest.consumers.map(({ consumer, required, delivery, proof, healthcheck }) =>
    [consumer, required ? 'yes' : 'no', delivery.url === undefined ? delivery.kind : `push to ${delivery.url}`, proof.kind, healthcheck]))
}
