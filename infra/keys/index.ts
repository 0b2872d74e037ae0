// Keyed derivations, each purpose with a key of its own (decision 16), all from one root that the vault keeps wrapped.
import { createHmac, type KeyObject } from 'node:crypto'
import type { Keys } from '../../src/ports.ts'
import { openSecrets, type VaultOptions } from './secrets.ts'
import { deriveKey } from './cipher.ts'

export { loadMasterKey, type MasterKey } from './master-key.ts'

/**
 * The root is random and only wrapped by the master key: rotating that one changes no address hash and no link.
 * @throws StartError for a wrong master key
 */
export const openKeys = async (options: VaultOptions): Promise<Keys> => {
  const root = await openSecrets(options)
  const addressKey = deriveKey(root, 'address-hash')
  const linkKey = deriveKey(root, 'link-token')
  const challengeKey = deriveKey(root, 'challenge')
  const fingerprintKey = deriveKey(root, 'fingerprint')
  const userNameKey = deriveKey(root, 'user-name-hash')
  const lifecycleKey = deriveKey(root, 'lifecycle-mac')
  const webhookKey = deriveKey(root, 'webhook-secret')
  const lifecycleKeyId = mac(lifecycleKey, 'key id').toString('hex').slice(0, 8)
  return {
    addressHash: (normalised) => mac(addressKey, normalised).toString('hex'),
    linkSecret: (tokenId) => mac(linkKey, tokenId).toString('base64url'),
    userNameHash: (normalised) => mac(userNameKey, normalised).toString('hex'),
    lifecycleMac: (canonical) => `${lifecycleKeyId}:${mac(lifecycleKey, canonical).toString('base64url')}`,
    lifecycleMacKey: () => ({ keyId: lifecycleKeyId, key: new Uint8Array(lifecycleKey.export()) }),
    webhookSecret: (place) => new Uint8Array(mac(webhookKey, place)),
    challenge: (challengeId) => new Uint8Array(mac(challengeKey, challengeId)),
    // The length in front keeps (route, body) apart from any other split of the same text.
    fingerprint: (route, canonicalBody) => mac(fingerprintKey, `${route.length}:${route}${canonicalBody}`).toString('base64url')
  }
}

const mac = (key: KeyObject, text: string): Buffer => createHmac('sha256', key).update(text, 'utf8').digest()
