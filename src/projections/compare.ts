// Compares a read model with a second fold of the log, row by row and byte by byte, in the order of the keys.
import type { Connection } from '../ports.ts'
import type { VerifyResult } from '../queries.ts'
import { quoted, typeOf, type TableDefinition } from './columns.ts'

const PAGE = 2000
const MAX_SAMPLES = 20

/** A row as Postgres prints it: every column, in the order of the table. */
interface Printed { key: string[], bytes: string }

export type Findings = Omit<VerifyResult, 'position'>

export const noFindings = (): Findings => ({ rows: 0, missing: 0, unexpected: 0, different: 0, samples: [] })

/**
 * Adds to `findings` what tells `served` (read on its own connection, in its snapshot) from `folded`.
 * Both connections must be inside a transaction.
 */
export const compareTable = async (
  findings: Findings, name: string, definition: TableDefinition,
  served: { connection: Connection, physical: string }, folded: { connection: Connection, physical: string }
): Promise<void> => {
  const compare = keyOrder(definition)
  const left = rowsOf(served.connection, served.physical, definition)
  const right = rowsOf(folded.connection, folded.physical, definition)
  const note = (kind: 'missing' | 'unexpected' | 'different', row: Printed): void => {
    findings[kind]++
    if (findings.samples.length < MAX_SAMPLES) findings.samples.push({ table: name, kind, key: row.key.join(', ').slice(0, 256) })
  }
  let a = await left.next()
  let b = await right.next()
  while (a.done !== true || b.done !== true) {
    const order = a.done === true ? 1 : b.done === true ? -1 : compare(a.value.key, b.value.key)
    if (order <= 0 && a.done !== true) {
      findings.rows++
      if (order < 0) note('unexpected', a.value)
      else if (b.done !== true && a.value.bytes !== b.value.bytes) note('different', a.value)
    }
    if (order > 0 && b.done !== true) note('missing', b.value)
    if (order <= 0) a = await left.next()
    if (order >= 0) b = await right.next()
  }
}

const isNative = (definition: TableDefinition, column: string): boolean =>
  ['uuid', 'int4', 'int8'].includes(typeOf(definition.columns[column] ?? 'text'))

async function * rowsOf (connection: Connection, physical: string, definition: TableDefinition): AsyncGenerator<Printed, void, undefined> {
  const keys = definition.key.map((column) => `t.${quoted(column)}::text`)
  const order = definition.key.map((column) => isNative(definition, column) ? `t.${quoted(column)}` : `t.${quoted(column)}::text collate "C"`)
  const cursor = quoted(`compare_${physical}`)
  await connection.query(`declare ${cursor} no scroll cursor for
    select array[${keys.join(', ')}] as key, t::text as bytes from ${quoted(physical)} t order by ${order.join(', ')}`)
  for (;;) {
    const { rows } = await connection.query<Printed>(`fetch ${PAGE} from ${cursor}`)
    yield * rows
    if (rows.length < PAGE) break
  }
  await connection.query(`close ${cursor}`)
}

/** The order of `order by` above: numbers as numbers, everything else by its bytes. */
const keyOrder = (definition: TableDefinition) => {
  const numeric = definition.key.map((column) => ['int4', 'int8'].includes(typeOf(definition.columns[column] ?? 'text')))
  return (a: readonly string[], b: readonly string[]): number => {
    for (const [index, isNumber] of numeric.entries()) {
      const x = a[index] ?? ''
      const y = b[index] ?? ''
      if (x === y) continue
      if (isNumber) return BigInt(x) < BigInt(y) ? -1 : 1
      return Buffer.compare(Buffer.from(x), Buffer.from(y))
    }
    return 0
  }
}
