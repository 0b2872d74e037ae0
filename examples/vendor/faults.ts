// Faults to order: what happens to the next calls of a kind instead of an answer.

export const calls = ['authenticate', 'metadata', 'may_mint', 'mint', 'list', 'revoke'] as const
export type Call = (typeof calls)[number]

export const kinds = [
  /** 503; nothing is done. */
  'error',
  /** 422; nothing is done. */
  'no',
  /** Nothing is done, and no answer comes. */
  'timeout',
  /** It is done; the connection breaks before the answer. */
  'applied_unanswered',
  /** It is done; no answer comes. */
  'applied_timeout',
  /** It is done, and the answer cannot be read. */
  'garbled',
  /** It is done, and answered, after `ms`. */
  'slow'
] as const
export interface Fault { kind: (typeof kinds)[number], ms: number }

export const createFaults = () => {
  const waiting = new Map<Call, Fault[]>()
  return {
    order: (call: Call, fault: Fault, times: number): void => { waiting.set(call, [...waiting.get(call) ?? [], ...Array.from({ length: times }, () => fault)]) },
    next: (call: Call): Fault | undefined => waiting.get(call)?.shift(),
    clear: (): void => { waiting.clear() }
  }
}
export type Faults = ReturnType<typeof createFaults>
