// The statements of `postgres-role`, each for Postgres 14 and newer; `shown` is what an exchange tells of one.
import pg from 'pg'

const { escapeIdentifier: name, escapeLiteral: text } = pg

/** Of the session's own role, which is that of the value whatever role it acts as. */
export const OWN_ROLE = `select session_user as role, r.rolcanlogin as may_log_in, r.rolvaliduntil as valid_until,
  session_user <> $1 and g.oid is not null and pg_has_role(session_user, g.oid, 'MEMBER') as in_group
  from pg_roles r left join pg_roles g on g.rolname = $1 where r.rolname = session_user`
export interface OwnRole { role: string, may_log_in: boolean, valid_until: Date | null, in_group: boolean }

const may = (role: string): string =>
  `case when current_setting('server_version_num')::int < 160000 then me.rolcreaterole else pg_has_role(${role}.oid, 'MEMBER WITH ADMIN OPTION') end`

/**
 * Of the connection: may it make roles, put them into the group, and end the old one? Up to Postgres 15 who may make roles
 * may do all of it; from 16 on it must be allowed to administer each.
 */
export const MAY_MINT = `select current_user as connection, not pg_is_in_recovery() as takes_writes, me.rolsuper or me.rolcreaterole as may_create,
  g.oid is not null as group_exists, g.oid is not null and (me.rolsuper or ${may('g')}) as may_admit,
  o.oid is not null as old_exists, o.oid is not null and (me.rolsuper or not o.rolsuper and ${may('o')}) as may_end_old, coalesce(o.oid = me.oid, false) as is_old
  from pg_roles me left join pg_roles g on g.rolname = $1 left join pg_roles o on o.rolname = $2 where me.rolname = current_user`
export interface MayMint {
  connection: string, takes_writes: boolean, may_create: boolean, group_exists: boolean, may_admit: boolean, old_exists: boolean, may_end_old: boolean, is_old: boolean
}

/**
 * Tokens: members of the group that can log in, or still have a session. A session's times are seen by members of
 * `pg_read_all_stats` and by those who have the role's rights; how long ago, since its clock need not be ours.
 */
export const TOKENS = `select r.rolname as role, shobj_description(r.oid, 'pg_authid') as label, s.idle_ms
  from pg_roles g join pg_roles r on r.oid in (select m.member from pg_auth_members m where m.roleid = g.oid)
  left join lateral (select count(*) as open, (extract(epoch from clock_timestamp() - max(greatest(a.backend_start, a.query_start))) * 1000)::float8 as idle_ms from pg_stat_activity a where a.usesysid = r.oid) s on true
  where g.rolname = $1 and r.rolname <> current_user and (r.rolcanlogin or s.open > 0) order by r.rolname`
export interface TokenRow { role: string, label: string | null, idle_ms: number | null }

export const ROLE = `select r.oid::text as oid, r.rolcanlogin as may_log_in, r.rolname = current_user as is_connection,
  exists (select from pg_auth_members m join pg_roles g on g.oid = m.roleid where m.member = r.oid and g.rolname = $2) as in_group
  from pg_roles r where r.rolname = $1`
export interface RoleRow { oid: string, may_log_in: boolean, is_connection: boolean, in_group: boolean }

export const SESSIONS = 'select count(*)::int as open from pg_stat_activity where usesysid = $1::oid'

/** What of this database, and whether anything of others, hangs on a role. */
export const BELONGINGS = `select coalesce(bool_or(d.deptype = 'o'), false) as owns from pg_shdepend d
  where d.refclassid = 'pg_authid'::regclass and d.refobjid = $1::oid and d.dbid = (select oid from pg_database where datname = current_database())`

/**
 * The new role acts as the group from its first statement on, so what it makes belongs to the group and outlives it. One
 * message and one transaction: all or nothing.
 */
export const mintRole = ({ role, group, label, verifier, limitMs }: { role: string, group: string, label: string, verifier: string, limitMs: number }) => {
  const parts = (password: string) => [
    `create role ${name(role)} login inherit password ${password} in role ${name(group)}`,
    `alter role ${name(role)} set role = ${text(group)}`,
    `comment on role ${name(role)} is ${text(label)}`
  ]
  return { sql: together(parts(text(verifier)), limitMs), shown: parts("'[verifier]'").join(';\n') }
}

export const endLogin = (role: string): string => `alter role ${name(role)} nologin`

/** What it owns goes to the group. Whoever may administer a role may also become its member, which giving away needs; of the group it must be one. */
export const dropRole = ({ role, group, owns, limitMs }: { role: string, group: string, owns: boolean, limitMs: number }) => {
  const parts = [
    ...owns ? [`grant ${name(role)} to current_user`, `reassign owned by ${name(role)} to ${name(group)}`, `drop owned by ${name(role)}`] : [],
    `drop role ${name(role)}`
  ]
  return { sql: together(parts, limitMs), shown: parts.join(';\n') }
}

const together = (parts: readonly string[], limitMs: number): string =>
  ['begin', `set local statement_timeout = ${Math.ceil(limitMs)}`, `set local lock_timeout = ${Math.ceil(limitMs)}`, ...parts, 'commit'].join(';\n')
