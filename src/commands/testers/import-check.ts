// Checks the rows of an import: everything that can be wrong with a file is told at once, by line, before any append.
import { EARLIEST } from '../../domain/event.ts'
import type { Keys } from '../../ports.ts'
import { readAddress, type Address } from '../address.ts'

/** A row as it is sent: text as a file holds it; an empty text is an absent one. */
export interface ImportRow {
  line?: number
  email: string
  invited_at: string
  token_consumed_at?: string
  user_created_at?: string
  passkeys?: string | number
}

export interface CheckedRow {
  line: number
  address: Address
  invitedAt: string
  consumedAt?: string
  createdAt?: string
  passkeys: number
}

export interface RowError { line: number, column: string, message: string }

/** ISO 8601 with its offset: a time without one could be any of 38. */
const TIME = /^\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})$/

/** The rows that are well formed, and all that is wrong with the others. Lines count from 2 where the caller gives none: 1 is the header. */
export const checkRows = (rows: readonly ImportRow[], keys: Pick<Keys, 'addressHash'>, now: Date): { checked: CheckedRow[], errors: RowError[] } => {
  const errors: RowError[] = []
  const checked: CheckedRow[] = []
  const lineOf = new Map<string, number>()
  rows.forEach((row, index) => {
    const line = row.line ?? index + 2
    const before = errors.length
    const wrong = (column: string, message: string): undefined => { errors.push({ line, column, message }) }
    const times = readTimes(row, now, wrong)
    const passkeys = readCount(row.passkeys, wrong)
    if (passkeys !== undefined && passkeys > 0 && times.createdAt === undefined) wrong('passkeys', 'passkeys need an account: user_created_at is missing')

    const address = readAddress(keys, row.email)
    if (address === undefined) return wrong('email', 'is not an e-mail address')
    const first = lineOf.get(address.hash)
    if (first !== undefined) return wrong('email', `is the same address as on line ${first}`)
    lineOf.set(address.hash, line)
    const { invitedAt, consumedAt, createdAt } = times
    if (errors.length > before || invitedAt === undefined || passkeys === undefined) return
    checked.push({ line, address, invitedAt, ...(consumedAt !== undefined && { consumedAt }), ...(createdAt !== undefined && { createdAt }), passkeys })
  })
  return { checked, errors }
}

type Wrong = (column: string, message: string) => undefined

const readTimes = (row: ImportRow, now: Date, wrong: Wrong) => {
  const invitedAt = readTime('invited_at', row.invited_at, now, wrong)
  const consumedAt = readTime('token_consumed_at', row.token_consumed_at, now, wrong)
  const createdAt = readTime('user_created_at', row.user_created_at, now, wrong)
  if ((row.invited_at ?? '') === '') wrong('invited_at', 'is missing')
  if (invitedAt !== undefined && consumedAt !== undefined && consumedAt < invitedAt) wrong('token_consumed_at', 'is before invited_at')
  if (createdAt !== undefined && (row.token_consumed_at ?? '') === '') wrong('user_created_at', 'an account needs a used link: token_consumed_at is missing')
  if (createdAt !== undefined && consumedAt !== undefined && createdAt < consumedAt) wrong('user_created_at', 'is before token_consumed_at')
  return { invitedAt, consumedAt, createdAt }
}

const readTime = (column: string, text: string | undefined, now: Date, wrong: Wrong): string | undefined => {
  if (text === undefined || text === '') return undefined
  const moment = new Date(TIME.test(text) ? text.replace(' ', 'T') : Number.NaN)
  // Date rolls 30 February over into March: the day that was written must be the day that was read.
  const day = Number(text.slice(8, 10))
  if (Number.isNaN(moment.getTime()) || day > daysIn(text)) return wrong(column, 'is not a time: write 2026-01-31T12:00:00Z')
  if (moment.toISOString() < EARLIEST) return wrong(column, 'lies before the year 1')
  if (moment > now) return wrong(column, 'lies in the future')
  return moment.toISOString()
}

const daysIn = (text: string): number => new Date(Date.UTC(Number(text.slice(0, 4)), Number(text.slice(5, 7)), 0)).getUTCDate()

const readCount = (value: string | number | undefined, wrong: Wrong): number | undefined => {
  if (value === undefined || value === '') return 0
  const count = typeof value === 'number' ? value : /^\d{1,4}$/.test(value) ? Number(value) : Number.NaN
  return Number.isInteger(count) && count >= 0 && count <= 1000 ? count : wrong('passkeys', 'is not a number from 0 to 1000')
}
