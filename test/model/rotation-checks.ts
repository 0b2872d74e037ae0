// What must hold at every instant of a rotation, judged by the log alone and by what vendor and consumers truly hold.
import type { LogEvent } from '../../src/domain/catalogue.ts'
import type { Manifest } from '../../src/domain/credential/manifest.ts'
import type { Secret } from '../../src/domain/credential/secret.ts'
import type { MemoryDeliveries } from '../support/memory-deliveries.ts'
import type { MemoryValues } from '../support/memory-values.ts'
import type { MemoryVendor } from '../support/memory-vendor.ts'

interface Round { number: number, purpose: string, valueId: string, proved: Map<string, number>, overtaken: boolean }

/** One job as its facts say it is; nothing of the domain's own fold is used here. */
interface JobOnRecord {
  id: string
  mode: string
  mint: 'none' | 'started' | 'minted' | 'failed' | 'unknown' | 'settled'
  value: { valueId: string, tokenId: string | undefined } | undefined
  /** consumer → delivery_seq → value */
  started: Map<string, Map<number, string>>
  round: Round | undefined
  waived: Set<string>
  orphans: Set<string>
  /** Values that a fact said were about to be opened. */
  opened: Set<string>
  /** Who came into the manifest since it was opened. */
  joined: Set<string>
  /** Who said which value it took last. */
  took: Map<string, string>
  goingBack: boolean
  revoking: boolean
  revokingNew: boolean
  distributeAsked: boolean
}

export interface Grounds {
  now: () => number
  vendor: MemoryVendor
  values: MemoryValues
  deliveries: MemoryDeliveries
  /** The vendor's list shows labels: there nobody else's token is ever taken for ours. */
  labels: boolean
  proofMaxAgeMs: number
  /** True for values that somebody outside killed: nothing here could have kept them alive. */
  killed: (secret: Secret) => boolean
}

export interface Checks {
  readonly broken: readonly string[]
  breaks (what: string): void
  onAppend (event: LogEvent): void
  moment (): void
  /** Asked in the moment of an effect: the fact comes first. */
  effect: {
    mint (label: string): void
    revoke (tokenId: string | undefined, value: Secret | undefined): void
    push (consumer: string, deliverySeq: number): void
    open (valueId: string): void
    destroy (valueId: string): void
  }
  /** Every type of fact that was seen. */
  readonly seen: ReadonlySet<string>
}

const newJob = (id: string, mode: string): JobOnRecord => ({
  id,
  mode,
  mint: 'none',
  value: undefined,
  started: new Map(),
  round: undefined,
  waived: new Set(),
  orphans: new Set(),
  opened: new Set(),
  joined: new Set(),
  took: new Map(),
  goingBack: false,
  revoking: false,
  revokingNew: false,
  distributeAsked: false
})

/** Stands in every value that vendor or operator makes. */
export const CANARY = 'x'.repeat(24)

export const createChecks = ({ now, vendor, values, deliveries, labels, proofMaxAgeMs, killed }: Grounds): Checks => {
  const broken: string[] = []
  const seen = new Set<string>()
  const secured = new Set<string>()
  const highest = new Map<string, number>()
  const superseded = new Map<string, number>()
  /** Tokens that were told to be perhaps ours: a human's to revoke. */
  const told = new Set<string>()
  let manifest: Manifest | undefined
  let current: { valueId: string, tokenId: string | undefined } | undefined
  let job: JobOnRecord | undefined
  let ended: JobOnRecord | undefined

  const breaks = (what: string): void => { if (broken.length < 4) broken.push(what) }
  const holds = (rule: boolean, what: () => string): void => { if (!rule) breaks(what()) }
  const required = () => (manifest?.consumers ?? []).filter((consumer) => consumer.required)
  /** Who joined and is required, as long as there is an old value to go back to. */
  const joinersBack = ({ joined, goingBack }: JobOnRecord): string[] => {
    const old = current && values.peek(current.valueId)
    return !goingBack || old === undefined || killed(old) ? [] : required().map(({ consumer }) => consumer).filter((consumer) => joined.has(consumer))
  }
  const noteTaken = ({ started, took }: JobOnRecord, consumer: string, deliverySeq: number): void => {
    const valueId = started.get(consumer)?.get(deliverySeq)
    if (valueId !== undefined) took.set(consumer, valueId)
  }
  /** Tokens that were minted for us and that nobody can use: neither in use nor the open job's new one. */
  const strays = () => vendor.live().map(({ tokenId }) => tokenId)
    .filter((tokenId) => vendor.minted().includes(tokenId) && tokenId !== current?.tokenId && tokenId !== job?.value?.tokenId && !told.has(tokenId))

  const mayRevoke = (on: JobOnRecord): void => {
    const { round, value } = on
    if (value === undefined) return breaks('revoking began without a new value')
    if (round?.purpose !== 'revoke' || round.valueId !== value.valueId) return breaks('revoking began without a round of proofs of its own')
    holds(!round.overtaken, () => 'revoking began on proofs of an older manifest')
    for (const { consumer, required } of manifest?.consumers ?? []) {
      const at = round.proved.get(consumer)
      holds(at !== undefined ? now() - at <= proofMaxAgeMs : !required && on.waived.has(consumer), () => `revoking began, and ${consumer} has neither proved nor been waived`)
      if (required) holds(deliveries.consumer(consumer).uses()?.valueId === value.valueId, () => `revoking began, and ${consumer} does not use the new value`)
    }
  }

  /** What each fact of the open job has to keep to, and what it changes. */
  const onJob: { [T in LogEvent['type']]?: (on: JobOnRecord, data: Extract<LogEvent, { type: T }>['data']) => void } = {
    'rotation.verify_started': (on, { valueId }) => { on.opened.add(valueId) },
    'rotation.distribute_requested': (on, { pasted }) => {
      on.distributeAsked = true
      if (pasted !== undefined) on.opened.add(pasted.valueId)
    },
    'rotation.mint_started': (on, { valueId }) => {
      holds(on.distributeAsked, () => 'a minting that nobody asked for')
      holds(['none', 'failed', 'settled'].includes(on.mint), () => `a minting was begun while another was ${on.mint}`)
      holds(on.orphans.size === 0, () => 'a minting was begun beside an orphan')
      on.mint = 'started'
      on.opened.add(valueId)
    },
    'rotation.minted': (on, { valueId, vendorTokenId }) => {
      holds(values.peek(valueId) !== undefined, () => 'a value was minted that the vault does not hold')
      on.mint = 'minted'
      on.value = { valueId, tokenId: vendorTokenId }
      on.opened.add(valueId)
    },
    'rotation.mint_failed': (on) => { on.mint = 'failed' },
    'rotation.mint_outcome_unknown': (on) => { on.mint = 'unknown' },
    'rotation.mint_settled': (on) => {
      holds(strays().length === 0, () => `a minting was settled while the vendor holds ${strays().join()}`)
      on.mint = 'settled'
    },
    'rotation.orphan_found': (on, { vendorTokenId }) => {
      holds(vendorTokenId !== current?.tokenId && vendorTokenId !== on.value?.tokenId, () => 'a token in use was taken for an orphan')
      // Who made it knows it for ours, also after another process could not tell.
      holds(!told.has(vendorTokenId) || vendor.minted().includes(vendorTokenId), () => 'a token that may be anybody\'s is revoked')
      holds(!labels || vendor.minted().includes(vendorTokenId), () => 'somebody else\'s token was taken for an orphan')
      on.orphans.add(vendorTokenId)
    },
    'rotation.orphan_revoked': (on, { vendorTokenId }) => {
      holds(on.orphans.delete(vendorTokenId), () => 'an orphan was revoked that was never listed')
      holds(!vendor.live().some(({ tokenId }) => tokenId === vendorTokenId), () => 'an orphan is said to be revoked and lives')
    },
    'rotation.unexplained_found': (on, { vendorTokenIds }) => {
      holds(!labels, () => 'a token is not explained, and has a label')
      for (const id of vendorTokenIds) {
        holds(id !== current?.tokenId && id !== on.value?.tokenId, () => 'a token in use is said to be unexplained')
        told.add(id)
      }
    },
    'rotation.deliveries_started': (on, { valueId, deliveries }) => {
      on.opened.add(valueId)
      for (const { consumer, deliverySeq } of deliveries) {
        const known = on.started.get(consumer) ?? new Map<number, string>()
        const last = highest.get(consumer) ?? 0
        holds(deliverySeq > last || (deliverySeq === last && known.get(deliverySeq) === valueId), () => `deliveries to ${consumer} went from ${last} to ${deliverySeq}`)
        highest.set(consumer, Math.max(last, deliverySeq))
        on.started.set(consumer, known.set(deliverySeq, valueId))
        if (valueId === on.value?.valueId) holds(!on.revokingNew, () => `the new value is given to ${consumer} while it is being revoked`)
        else holds(!on.revoking, () => `the old value is given to ${consumer} while it is being revoked`)
      }
    },
    'rotation.deliveries_recorded': (on, { outcomes }) => {
      for (const { consumer, deliverySeq, status } of outcomes) if (status === 'succeeded') noteTaken(on, consumer, deliverySeq)
    },
    'rotation.delivery_acknowledged': (on, { consumer, deliverySeq }) => { noteTaken(on, consumer, deliverySeq) },
    'rotation.abort_started': (on) => { on.goingBack = true },
    'rotation.validation_started': (on, { round, purpose, valueId }) => {
      on.round = { number: round, purpose, valueId, proved: new Map(), overtaken: false }
      on.opened.add(valueId)
    },
    'rotation.proofs_recorded': ({ round: begun }, { round, outcomes }) => {
      if (round !== begun?.number) return
      for (const { consumer, outcome, at } of outcomes) {
        if (outcome === 'proved') begun.proved.set(consumer, Date.parse(at))
        else begun.proved.delete(consumer)
      }
    },
    'rotation.consumer_waived': (on, { consumer: waived }) => {
      holds(required().every(({ consumer }) => consumer !== waived), () => `${waived} is required and was waived`)
      on.waived.add(waived)
    },
    'rotation.revoke_started': (on) => {
      if (!on.revoking) mayRevoke(on)
      on.revoking = true
    },
    'rotation.new_revoke_started': (on) => {
      holds(!on.revoking, () => 'both tokens are being revoked')
      for (const consumer of on.revokingNew ? [] : joinersBack(on)) {
        const held = deliveries.consumer(consumer).uses()
        holds(held !== undefined && vendor.accepts(held.value), () => `the new token is being revoked, and ${consumer}, who joined, holds nothing that the vendor accepts`)
      }
      for (const { consumer } of required()) {
        const held = deliveries.consumer(consumer).uses()
        holds(held === undefined || held.valueId !== on.value?.valueId || !vendor.accepts(held.value), () => `the new token is being revoked, and ${consumer} uses it`)
      }
      on.revokingNew = true
    },
    'rotation.done': (on, { newValueId }) => { onDone(on, newValueId) },
    'rotation.aborted': (on) => { onAborted(on) }
  }

  const onDone = (on: JobOnRecord, newValueId: string): void => {
    const old = current && values.peek(current.valueId)
    holds(old === undefined || !vendor.accepts(old), () => 'done, and the vendor accepts the old value')
    holds(on.revoking && newValueId === on.value?.valueId, () => 'done without revoking')
    current = on.value
    end()
    holds(strays().length === 0, () => `done, and the vendor holds ${strays().join()}`)
  }
  const onAborted = (on: JobOnRecord): void => {
    holds(!on.revoking, () => 'aborted while the old value was being revoked')
    for (const consumer of joinersBack(on)) holds(on.took.get(consumer) === current?.valueId, () => `aborted, and ${consumer}, who joined, did not take the old value`)
    holds(!['started', 'unknown'].includes(on.mint), () => `aborted, and the minting is ${on.mint}`)
    const made = on.value && values.peek(on.value.valueId)
    end()
    holds(made === undefined || !vendor.accepts(made), () => 'aborted, and the vendor accepts the new value')
    holds(strays().length === 0, () => `aborted, and the vendor holds ${strays().join()}`)
  }
  const end = (): void => {
    ended = job
    job = undefined
  }

  const moment = (): void => {
    for (const { consumer } of required()) {
      const held = deliveries.consumer(consumer).uses()
      // Who joins with a value that is being revoked is given the other one, as soon as can be.
      const leaving = job?.revoking === true ? current?.valueId : job?.revokingNew === true ? job.value?.valueId : undefined
      const served = held !== undefined && vendor.accepts(held.value)
      if (served && held.valueId !== leaving) secured.add(consumer)
      if (served) continue
      if (secured.has(consumer) && (held === undefined || !killed(held.value))) breaks(`${consumer} is required, and holds nothing that the vendor accepts`)
    }
    holds(strays().length <= 1, () => `the vendor holds more than one orphan: ${strays().join()}`)
    if (job !== undefined && !job.revoking && current !== undefined) {
      const old = values.peek(current.valueId)
      if (old !== undefined && !killed(old)) holds(vendor.accepts(old), () => 'the old value is dead, and no fact said that it was to be revoked')
    }
  }

  /** The same for the facts of the credential itself. */
  const onCredential: { [T in LogEvent['type']]?: (_: unknown, data: Extract<LogEvent, { type: T }>['data']) => void } = {
    'credential.manifest_put': (_, put) => {
      const before = new Set((manifest?.consumers ?? []).map(({ consumer }) => consumer))
      for (const { consumer } of put.manifest.consumers) {
        if (before.has(consumer)) continue
        job?.joined.add(consumer)
        job?.took.delete(consumer)
      }
      manifest = put.manifest
      const members = new Set(required().map(({ consumer }) => consumer))
      for (const consumer of secured) if (!members.has(consumer)) secured.delete(consumer)
      if (job?.round !== undefined) job.round.overtaken = true
    },
    'credential.value_adopted': (_, { valueId, vendorTokenId }) => {
      holds(job === undefined, () => 'a value was adopted while a job was open')
      current = { valueId, tokenId: vendorTokenId }
    },
    'credential.value_superseded': (_, { valueId, destroyAfter }) => { superseded.set(valueId, Date.parse(destroyAfter)) },
    'rotation.opened': (_, { rotationId, mode }) => {
      holds(job === undefined, () => 'two jobs are open')
      job = newJob(rotationId, mode)
    }
  }
  const onAppend = ({ type, data, metadata }: LogEvent): void => {
    seen.add(type)
    const text = JSON.stringify([data, metadata])
    holds(!text.includes(CANARY), () => `${type} shows a value`)
    const before = onCredential[type] as ((_: unknown, data: unknown) => void) | undefined
    if (before !== undefined) return before(undefined, data)
    if (!type.startsWith('rotation.')) return
    if (job === undefined || (data as { rotationId?: string }).rotationId !== job.id) return breaks(`${type} of a job that is not open`)
    const then = onJob[type] as ((on: JobOnRecord, data: unknown) => void) | undefined
    then?.(job, data)
  }

  return {
    broken,
    breaks,
    onAppend,
    moment,
    seen,
    effect: {
      mint: () => { holds(job?.mint === 'started', () => `the vendor was asked to mint while the log says ${job?.mint ?? 'no job'}`) },
      revoke: (tokenId, value) => {
        const id = tokenId ?? 'by value'
        const is = (of: { valueId: string, tokenId: string | undefined } | undefined) => of !== undefined &&
          (tokenId !== undefined ? of.tokenId === tokenId : value !== undefined && values.peek(of.valueId)?.reveal() === value.reveal())
        if (is(current)) holds(job?.revoking === true || job === undefined, () => 'the old token is revoked before its fact')
        else if (is(job?.value)) holds(job?.revokingNew === true, () => 'the new token is revoked before its fact')
        else holds(job === undefined || job.orphans.has(id) || ended?.orphans.has(id) === true || is(ended?.value) || vendor.live().every((token) => token.tokenId !== id), () => `${id} is revoked, and no fact listed it`)
      },
      push: (consumer, deliverySeq) => {
        holds(job?.started.get(consumer)?.has(deliverySeq) === true || ended !== undefined, () => `${consumer} is sent delivery ${deliverySeq}, and no fact announced it`)
      },
      open: (valueId) => {
        holds(valueId === current?.valueId || job?.opened.has(valueId) === true || ended?.opened.has(valueId) === true, () => 'a value was opened that no fact announced')
      },
      destroy: (valueId) => {
        const after = superseded.get(valueId)
        holds(after !== undefined && after <= now(), () => 'a value was destroyed before its time')
        holds(valueId !== current?.valueId && valueId !== job?.value?.valueId, () => 'a value in use was destroyed')
      }
    }
  }
}
