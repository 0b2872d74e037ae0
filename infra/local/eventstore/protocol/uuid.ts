// Event and correlation ids: the protocol carries a UUID as text or as two 64-bit halves.
import { type WireReader, bytesField, varintField } from './wire.ts'

const CANONICAL = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

export const NIL_UUID = '00000000-0000-0000-0000-000000000000'

const fromHalves = (most: bigint, least: bigint): string => {
  const hex = most.toString(16).padStart(16, '0') + least.toString(16).padStart(16, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
}

/** Reads a UUID message; undefined if it holds no UUID (empty, or text that is none). Lower case. */
export const readUuid = (reader: WireReader): string | undefined => {
  let found: string | undefined
  while (reader.next()) {
    if (reader.field === 2) {
      const text = reader.text()
      found = CANONICAL.test(text) ? text.toLowerCase() : undefined
    } else if (reader.field === 1) {
      const halves = reader.message()
      let most = 0n
      let least = 0n
      while (halves.next()) {
        if (halves.field === 1) most = halves.bigint()
        else if (halves.field === 2) least = halves.bigint()
      }
      found = fromHalves(most, least)
    }
  }
  return found
}

/** The content of a UUID message in its structured form. */
export const structuredUuid = (id: string): Buffer => {
  const hex = id.replaceAll('-', '')
  return bytesField(1, varintField(1, BigInt(`0x${hex.slice(0, 16)}`)), varintField(2, BigInt(`0x${hex.slice(16)}`)))
}
