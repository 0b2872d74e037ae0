// Keeps the values of credentials: sealed under the master key, a row each, in Postgres's vault schema.
import { createHmac, timingSafeEqual } from 'node:crypto'
import { Refusal } from '../../src/domain/codes.ts'
import { Secret } from '../../src/domain/credential/secret.ts'
import type { CredentialValues } from '../../src/rotation-ports.ts'
import { decrypt, deriveKey, encrypt } from '../keys/cipher.ts'
import { boundTo, openSecrets, quoted, sealingKey, type VaultOptions } from '../keys/secrets.ts'

type Row = { sealed: Buffer, master: string } | { sealed: null, master: null }

/**
 * Nothing that is opened is kept in memory. The fingerprint's key comes from the root and not from the master key: a
 * rotation of that one changes no fingerprint.
 * @throws StartError for a wrong master key, or a vault that was lost
 */
export const openCredentialValues = async (options: VaultOptions): Promise<CredentialValues> => {
  const fingerprintKey = deriveKey(await openSecrets(options), 'credential-fingerprint')
  const { pool, masterKey } = options
  const sealing = sealingKey(masterKey)
  const schema = quoted(options.schema)

  const row = async (valueId: string): Promise<Row | undefined> =>
    (await pool.query<Row>(`select sealed, master from ${schema}.credential_value where value_id = $1`, [valueId])).rows[0]

  const unsealed = (valueId: string, { sealed, master }: { sealed: Buffer, master: string }): Buffer => {
    const bytes = decrypt(sealing, sealed, boundTo('credential_value', valueId))
    if (bytes !== undefined) return bytes
    throw new Refusal('key_missing', master === masterKey.id
      ? 'The value of a credential does not open: its row was changed. Restore the vault from its backup.'
      : 'The value of a credential was sealed with another master key. Start the service with that one.', { valueId })
  }

  return {
    put: async ({ valueId, credential, secret }) => {
      const plain = Buffer.from(secret.reveal(), 'utf8')
      // The sentinel is locked against a rotation meanwhile: a process that still holds the old master key stores nothing more.
      const { rowCount } = await pool.query(
        `with sentinel as (select master from ${schema}.secret where name = 'sentinel' and master = $4 for share)
         insert into ${schema}.credential_value (value_id, credential, sealed, master) select $1, $2, $3, master from sentinel
         on conflict (value_id) do nothing`,
        [valueId, credential, encrypt(sealing, plain, boundTo('credential_value', valueId)), masterKey.id])
      if (rowCount === 1) return
      const stored = await row(valueId)
      if (stored === undefined) throw new Refusal('key_missing', 'The vault was given another master key meanwhile. Start the service with that one.', { valueId })
      if (stored.sealed === null) throw new Refusal('conflict', 'This value was destroyed. Begin again, so that it gets another id.', { valueId })
      if (!same(unsealed(valueId, stored), plain)) throw new Refusal('conflict', 'Another value is stored under this id.', { valueId })
    },

    open: async (valueId) => {
      const stored = await row(valueId)
      return stored === undefined || stored.sealed === null ? undefined : new Secret(unsealed(valueId, stored).toString('utf8'))
    },

    destroy: async (valueId) => {
      // One that was never stored is marked too: a put that comes late stores nothing.
      await pool.query(
        `insert into ${schema}.credential_value (value_id, credential, destroyed_at) values ($1, null, now())
         on conflict (value_id) do update set sealed = null, master = null, destroyed_at = now() where credential_value.destroyed_at is null`,
        [valueId])
    },

    fingerprint: (secret) => createHmac('sha256', fingerprintKey).update(secret.reveal(), 'utf8').digest('base64url')
  }
}

const same = (one: Buffer, other: Buffer): boolean => one.length === other.length && timingSafeEqual(one, other)
