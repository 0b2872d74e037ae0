// Vendor `manual`: a human mints and revokes by hand and pastes the new value; what can be asked of the vendor is asked.
import type { Exchange } from '../../src/domain/credential/fields.ts'
import type { VendorSettings } from '../../src/domain/credential/manifest.ts'
import type { VendorGateway } from '../../src/rotation-ports.ts'
import type { Outgoing } from '../outgoing/index.ts'
import { asker, refusalProbe } from './http.ts'
import { inOrder, lookalike, refusesRandom } from './probes.ts'

export interface ManualVendorOptions { vendor: Extract<VendorSettings, { kind: 'manual' }>, outgoing: Outgoing }

/** Nothing was asked of anybody: it is a human's to do (ADR 0193). */
const byHand = (probe: string, outcome: 'by_hand' | 'failed' = 'by_hand'): Exchange =>
  ({ probe, outcome, request: { method: 'BY HAND', target: 'the operator follows the instructions of the manifest' }, failure: 'by_hand', at: new Date().toISOString(), tookMs: 0 })

export const manualVendor = ({ vendor, outgoing }: ManualVendorOptions): VendorGateway => {
  const ask = asker(outgoing)
  const probeRefused = refusalProbe(outgoing, vendor)
  return {
    lists: false,
    timeLimitMs: outgoing.timeoutMs,
    verify: async (value, { replace }) => {
      const { authenticate, metadata } = vendor
      const ofTheValue = [
        () => ask('authenticate', authenticate, { value }),
        ...metadata === undefined ? [] : [() => ask('metadata', metadata, { value })]
      ]
      return inOrder([...replace ? [] : ofTheValue, async () => ({ exchange: byHand('may_mint') }), refusesRandom(probeRefused, lookalike(value))])
    },
    mint: async () => ({ status: 'refused', exchange: byHand('mint', 'failed') }),
    list: async () => ({ status: 'failed', exchange: byHand('list', 'failed') }),
    // The operator's word; that the old token is refused is proved by the probes that follow.
    revoke: async () => ({ status: 'revoked', exchange: byHand('revoke') }),
    probeRefused
  }
}
