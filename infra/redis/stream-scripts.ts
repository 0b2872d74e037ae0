// The Lua that Redis runs: each script is one atomic step on the lifecycle stream.

/** The id at the stream's end, also when that entry is gone; `0-0` without a stream, `none` where the key holds something else. */
const TAIL = `
local function info()
  local facts = {}
  local kind = redis.call('TYPE', KEYS[1])['ok']
  if kind == 'none' then return facts end
  if kind ~= 'stream' then return {['last-generated-id'] = 'none'} end
  local answer = redis.call('XINFO', 'STREAM', KEYS[1])
  for i = 1, #answer, 2 do facts[answer[i]] = answer[i + 1] end
  return facts
end
local function tail() return info()['last-generated-id'] or '0-0' end
`

/** Decimal texts compared as numbers: Lua's own have 53 bits. */
const LESS = `
local function less(a, b) return #a < #b or (#a == #b and a < b) end
`

/** KEYS stream, read_to, epoch → tail, length, added, max deleted, epoch, first, last, read_to */
export const STATE = `${TAIL}
local facts = info()
return {
  facts['last-generated-id'] or '0-0', facts['length'] or 0, facts['entries-added'] or 0, facts['max-deleted-entry-id'] or '0-0',
  redis.call('GET', KEYS[3]) or '', facts['first-entry'] or {}, facts['last-entry'] or {}, redis.call('HGETALL', KEYS[2])
}`

/**
 * KEYS stream; ARGV after, number of entries, and of each its id, its event id, the number of its texts, its texts.
 * The batch is written behind 'after'. Where the stream goes on from there with the batch's own entries, only the rest is;
 * where it holds all of them and more, nothing is.
 */
export const APPEND = `${TAIL}
local count, at, existed = tonumber(ARGV[2]), 3, 0
local last = tail()
if last == 'none' then return {'moved', last} end
if last ~= ARGV[1] then
  local known = false
  while existed < count and not known do
    local id, event = ARGV[at], ARGV[at + 1]
    local there = redis.call('XRANGE', KEYS[1], id, id)[1]
    local same = false
    if there then
      for i = 1, #there[2], 2 do if there[2][i] == 'event_id' then same = there[2][i + 1] == event end end
    end
    if not same then return {'moved', last} end
    existed = existed + 1
    at = at + 3 + tonumber(ARGV[at + 2])
    known = id == last
  end
  if not known and existed < count then return {'moved', last} end
end
for _ = existed + 1, count do
  local texts = tonumber(ARGV[at + 2])
  redis.call('XADD', KEYS[1], ARGV[at], unpack(ARGV, at + 3, at + 2 + texts))
  at = at + 3 + texts
end
return {'appended', existed}`

/** KEYS stream, read_to; ARGV after, position, event id */
export const NOTE_READ_TO = `${TAIL}${LESS}
if tail() ~= ARGV[1] then return 0 end
local kept = redis.call('HMGET', KEYS[2], 'after', 'position')
if kept[1] == ARGV[1] and kept[2] and not less(kept[2], ARGV[2]) then return 0 end
redis.call('HSET', KEYS[2], 'after', ARGV[1], 'position', ARGV[2], 'event_id', ARGV[3])
return 1`

/** KEYS stream, acknowledged; ARGV up to, keep, number of groups, groups, consumers */
export const TRIM = `${LESS}
if redis.call('EXISTS', KEYS[1]) == 0 or #redis.call('XRANGE', KEYS[1], ARGV[2], ARGV[2]) == 0 then return {'moved', ''} end
local groups, known = tonumber(ARGV[3]), {}
for i = 1, groups do known[ARGV[3 + i]] = true end
for _, group in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  for i = 1, #group, 2 do
    if group[i] == 'name' and not known[group[i + 1]] then return {'unknown_group', group[i + 1]} end
  end
end
for i = 4 + groups, #ARGV do
  local acknowledged = redis.call('HGET', KEYS[2], ARGV[i])
  if not acknowledged or less(acknowledged, ARGV[1]) then return {'held_back', ARGV[i]} end
end
return {'trimmed', redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[2])}`

/** KEYS stream, acknowledged; ARGV number of groups, groups, consumers */
export const FORGET = `
local groups = tonumber(ARGV[1])
for i = 2, 1 + groups do redis.pcall('XGROUP', 'DESTROY', KEYS[1], ARGV[i]) end
for i = 2 + groups, #ARGV do redis.call('HDEL', KEYS[2], ARGV[i]) end
return 1`

/**
 * KEYS stream, its new name, epoch, read_to; ARGV epoch id, the epoch that has to be the last so far, then groups and the
 * ids they go on after
 */
export const BEGIN_ANEW = `
if (redis.call('GET', KEYS[3]) or '') ~= ARGV[2] then return 0 end
if redis.call('EXISTS', KEYS[1]) == 1 then
  local name = KEYS[2]
  if redis.call('EXISTS', name) == 1 then name = name .. ':' .. ARGV[1] end
  redis.call('RENAME', KEYS[1], name)
end
redis.call('DEL', KEYS[4])
for i = 3, #ARGV, 2 do redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[i], ARGV[i + 1], 'MKSTREAM') end
redis.call('SET', KEYS[3], ARGV[1])
return 1`
