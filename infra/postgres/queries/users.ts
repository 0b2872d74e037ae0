// The admin's questions to the read model `users`: pages of accounts by what stands against, for or in them.
import { limitCodes, sanctionCodes } from '../../../src/domain/account/catalogues.ts'
import type { Sql } from '../../../src/ports.ts'
import type { UserFilter, UserQueries, UserRow } from '../../../src/account-queries.ts'

const COLUMNS = `user_id as "userId", tester_id as "testerId", email, user_name as "userName", display_name as "displayName",
  preferred_language as "preferredLanguage", time_zone as "timeZone", tariff, tariff_since as "tariffSince", tariff_until as "tariffUntil",
  sanctions, json_strip_nulls(json_build_object(${limitCodes.map((code) => `'${code}', ${code}`).join(', ')})) as limits,
  created_at as "createdAt", credential_count as "credentialCount", deleted_at as "deletedAt", purge_after as "purgeAfter",
  purged_at as "purgedAt", first_position as "firstPosition", position, revision`

/** A sanction of the row that counts at a moment; the twin of `timeStateAt` in src/domain/account/eligibility.ts. */
const counting = (code: string, now: string): string => `exists (
  select from json_to_recordset(sanctions) as s(code text, starts_at timestamptz, at_once boolean, expires_at timestamptz)
   where s.code = ${code} and (s.at_once or s.starts_at <= ${now}) and (s.expires_at is null or ${now} < s.expires_at))`

/** Conditions and their parameters. Names of columns come from the catalogues, nothing else from outside gets into the text. */
const conditionsOf = (filter: UserFilter, now: Date, value: (value: unknown) => string): string[] => {
  const { addressHash, userNameHash, testerId, sanction, limit, tariff, createdFrom, createdTo, includeDeleted } = filter
  const where: string[] = []
  const equals = (column: string, wanted: unknown): void => { if (wanted !== undefined) where.push(`${column} = ${value(wanted)}`) }
  equals('address_hash', addressHash)
  equals('user_name_hash', userNameHash)
  equals('tester_id', testerId)
  if (sanction !== undefined && sanctionCodes.includes(sanction)) where.push(sanction, counting(value(sanction), value(now.toISOString())))
  if (limit !== undefined && limitCodes.includes(limit.code)) {
    where.push(`${limit.code} is not null`)
    equals(limit.code, limit.value)
  }
  if (tariff !== undefined) {
    const at = value(now.toISOString())
    where.push(`tariff = ${value(tariff)}`, `tariff_since <= ${at}`, `(tariff_until is null or ${at} < tariff_until)`)
  }
  if (createdFrom !== undefined) where.push(`created_at >= ${value(createdFrom)}`)
  if (createdTo !== undefined) where.push(`created_at < ${value(createdTo)}`)
  if (!includeDeleted) where.push('deleted_at is null')
  return where
}

export const userQueries = (sql: Sql): UserQueries => ({
  page: async (filter, { after, limit, direction, now }) => {
    const values: unknown[] = []
    const value = (wanted: unknown): string => `$${values.push(wanted)}`
    const forwards = direction === 'forwards'
    const where = conditionsOf(filter, now, value)
    if (after !== undefined) where.push(`first_position ${forwards ? '>' : '<'} ${value(after)}`)
    const { rows } = await sql.query<UserRow>(`select ${COLUMNS} from users
      ${where.length === 0 ? '' : `where ${where.join(' and ')}`} order by first_position ${forwards ? 'asc' : 'desc'} limit ${value(limit)}`, values)
    return rows
  }
})
