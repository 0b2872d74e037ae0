// Opens a sealed delivery with the consumer's private key, and believes nothing that is not inside the seal.
import { compactDecrypt } from 'jose'
import type { ConsumerKey } from './key.ts'

/** What is inside: `deliverySeq` rises with each value that is to be taken. */
export interface Delivered { credential: string, value: string, valueId: string, deliverySeq: number, rotationId: string | undefined }

export type DeliveryFault =
  /** Sealed to another key than ours: to one from before, most likely. */
  | 'other_key'
  /** Not opened, or not what a delivery is. */
  | 'unreadable'
  /** Of another credential than the one it was said to be. */
  | 'other_credential'

export class DeliveryProblem extends Error {
  readonly fault: DeliveryFault
  constructor (fault: DeliveryFault) {
    super(`the delivery cannot be taken: ${fault}`)
    this.name = 'DeliveryProblem'
    this.fault = fault
  }
}

const LONGEST = 65_536
const decoder = new TextDecoder('utf-8', { fatal: true })

/** @throws DeliveryProblem, whose text never has anything of what was inside */
export const openDelivery = async (jwe: string, key: ConsumerKey, expected: { credential: string }): Promise<Delivered> => {
  if (jwe.length > LONGEST) throw new DeliveryProblem('unreadable')
  const plain = await compactDecrypt(jwe, ({ kid }) => {
    if (kid !== undefined && kid !== key.keyId) throw new DeliveryProblem('other_key')
    return key.privateKey
  }, { keyManagementAlgorithms: ['ECDH-ES'], contentEncryptionAlgorithms: ['A256GCM'] }).then(({ plaintext }) => plaintext, (error: unknown) => {
    throw error instanceof DeliveryProblem ? error : new DeliveryProblem('unreadable')
  })
  const delivered = read(plain)
  if (delivered === undefined) throw new DeliveryProblem('unreadable')
  if (delivered.credential !== expected.credential) throw new DeliveryProblem('other_credential')
  return delivered
}

const read = (plain: Uint8Array): Delivered | undefined => {
  try {
    const { credential, value, value_id: valueId, delivery_seq: deliverySeq, rotation_id: rotationId } = JSON.parse(decoder.decode(plain)) as Record<string, unknown>
    if (typeof credential !== 'string' || typeof value !== 'string' || value === '' || typeof valueId !== 'string') return undefined
    if (typeof deliverySeq !== 'number' || !Number.isSafeInteger(deliverySeq) || deliverySeq < 0) return undefined
    return { credential, value, valueId, deliverySeq, rotationId: typeof rotationId === 'string' ? rotationId : undefined }
  } catch {
    return undefined
  }
}
