// What of a manifest has the form that it needs, so that it can be checked while other parts of it have not.
import { Value } from '@sinclair/typebox/value'
import { VendorSettings, type Connection, type HttpCall, type Subscriber } from './manifest.ts'

type Maybe<T> = { [K in keyof T]?: T[K] | undefined }
type PartsOf<V extends { kind: string }> = V extends { kind: 'http' }
  ? Pick<V, 'kind'> & Maybe<Omit<V, 'kind' | 'mint' | 'list'>> & Maybe<Record<'mint' | 'list', { call?: HttpCall | undefined }>>
  : Pick<V, 'kind'> & Maybe<Omit<V, 'kind'>>

/** Each request is whole, or absent: of half a request nothing can be said. */
export type VendorParts = PartsOf<VendorSettings>
export type VendorPartsOf<K extends VendorParts['kind']> = Extract<VendorParts, { kind: K }>
export type SubscriberParts = Maybe<Subscriber>

/** A part is absent where it is missing, and where its form is wrong; a whole manifest is one of these. */
export interface ManifestParts {
  vendor?: VendorParts | undefined
  connection?: Connection | undefined
  lifetimeDays?: number | undefined
  leadDays?: number | undefined
  /** Each at its place, whatever of it is there. */
  consumers?: readonly SubscriberParts[] | undefined
}

export const isWhole = (vendor: VendorParts | undefined): vendor is VendorSettings => vendor !== undefined && Value.Check(VendorSettings(), vendor)
