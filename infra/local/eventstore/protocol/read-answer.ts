// What a read or a subscription is sent besides events, as gRPC frames.
import { frame } from '../grpc/framing.ts'
import { bytesField, varintField } from './wire.ts'

export const streamNotFound = (stream: string): Buffer => frame(bytesField(4, bytesField(1, bytesField(3, stream))))

export const confirmation = (subscriptionId: string): Buffer => frame(bytesField(2, bytesField(1, subscriptionId)))

export const caughtUp = (): Buffer => frame(bytesField(8))

export const checkpoint = (position: number): Buffer => frame(bytesField(3, varintField(1, position), varintField(2, position)))

export const firstStreamPosition = (revision: number): Buffer => frame(varintField(5, revision))

export const lastStreamPosition = (revision: number): Buffer => frame(varintField(6, revision))
