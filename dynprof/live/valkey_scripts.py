"""The write path in Valkey: Lua scripts, each of which the server runs as a whole or not at all.

A change is one string in the hash `changes`, under its number: a letter for its kind, 16 bytes (text hash, or keyed id
of what was erased) and, of an event, 16 bytes for its user and the packed event. `order` has the numbers.
"""

from __future__ import annotations

__all__ = ["APPEND", "ERASE_EVENT", "ERASE_USER", "PUT_VECTORS", "READ", "TRIM", "WITHOUT_VECTOR"]

# KEYS[1] is the prefix of all keys, with a hash tag: in a cluster they lie together.
_COMMON = """
local p = KEYS[1]
local function add(change)
  local n = string.format('%.0f', redis.call('INCR', p .. 'last'))
  redis.call('HSET', p .. 'changes', n, change)
  redis.call('ZADD', p .. 'order', n, n)
  return n
end
local function drop(n)
  redis.call('HDEL', p .. 'changes', n)
  redis.call('ZREM', p .. 'order', n)
end
local function drop_vectors(hash)
  for _, fp in ipairs(redis.call('SMEMBERS', p .. 'fingerprints')) do
    local v = redis.call('HGET', p .. 'vectors:' .. fp, hash)
    if v then
      drop(string.format('%.0f', tonumber(string.sub(v, 1, 16))))
      redis.call('HDEL', p .. 'vectors:' .. fp, hash)
    end
  end
end
local function forget(n, change)
  drop(n)
  redis.call('SREM', p .. 'user:' .. string.sub(change, 18, 33), n)
  local hash = string.sub(change, 2, 17)
  if string.sub(change, 1, 1) == 'e' and redis.call('HINCRBY', p .. 'texts', hash, -1) <= 0 then
    redis.call('HDEL', p .. 'texts', hash)
    drop_vectors(hash)
  end
end
"""

APPEND = (
    _COMMON
    + """
local out = {}
for i = 1, #ARGV, 4 do
  local id, user, hash, packed = ARGV[i], ARGV[i + 1], ARGV[i + 2], ARGV[i + 3]
  if redis.call('SISMEMBER', p .. 'erased_users', user) == 1 then
    out[#out + 1] = 'r'
  elseif redis.call('HEXISTS', p .. 'seen', id) == 1 then
    out[#out + 1] = 'd'
  else
    local n
    if hash == '' then
      n = add('n' .. string.rep('\\0', 16) .. user .. packed)
    else
      n = add('e' .. hash .. user .. packed)
      redis.call('HINCRBY', p .. 'texts', hash, 1)
    end
    redis.call('HSET', p .. 'seen', id, n)
    redis.call('SADD', p .. 'user:' .. user, n)
    out[#out + 1] = 'a'
  end
end
return out
"""
)
"""ARGV: id, user, text hash (or nothing) and packed event of each. A letter each: accepted, duplicate, refused."""

READ = (
    _COMMON
    + """
local out = {}
for _, n in ipairs(redis.call('ZRANGEBYSCORE', p .. 'order', '(' .. ARGV[1], '+inf', 'LIMIT', 0, ARGV[2])) do
  out[#out + 1] = n
  out[#out + 1] = redis.call('HGET', p .. 'changes', n)
end
return out
"""
)
"""ARGV: after, limit. Number and change, in turn."""

PUT_VECTORS = (
    _COMMON
    + """
local fp = ARGV[1]
for i = 2, #ARGV, 2 do
  local hash = ARGV[i]
  if redis.call('HEXISTS', p .. 'texts', hash) == 1 and redis.call('HEXISTS', p .. 'vectors:' .. fp, hash) == 0 then
    local n = add('v' .. hash)
    redis.call('SADD', p .. 'fingerprints', fp)
    redis.call('HSET', p .. 'vectors:' .. fp, hash, string.format('%016.0f', n) .. ARGV[i + 1])
  end
end
"""
)
"""ARGV: fingerprint, then hash and vector in turn."""

WITHOUT_VECTOR = (
    _COMMON
    + """
local numbers = redis.call('ZRANGEBYSCORE', p .. 'order', '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
local out = {numbers[#numbers] or ''}
for _, n in ipairs(numbers) do
  local change = redis.call('HGET', p .. 'changes', n)
  local hash = string.sub(change, 2, 17)
  if string.sub(change, 1, 1) == 'e' and redis.call('HEXISTS', p .. 'vectors:' .. ARGV[1], hash) == 0 then
    out[#out + 1] = n
    out[#out + 1] = change
  end
end
return out
"""
)
"""ARGV: fingerprint, after, how many changes to look at. The last number looked at, then number and change in turn."""

ERASE_USER = (
    _COMMON
    + """
local numbers = redis.call('SMEMBERS', p .. 'user:' .. ARGV[1])
for _, n in ipairs(numbers) do
  forget(n, redis.call('HGET', p .. 'changes', n))
end
if redis.call('SADD', p .. 'erased_users', ARGV[1]) == 1 then
  add('u' .. ARGV[1])
end
return #numbers
"""
)
"""ARGV: keyed id. How many events went."""

ERASE_EVENT = (
    _COMMON
    + """
local n = redis.call('HGET', p .. 'seen', ARGV[1])
local change = n and redis.call('HGET', p .. 'changes', n)
if change then
  forget(n, change)
end
redis.call('HSETNX', p .. 'seen', ARGV[1], '')
if redis.call('SADD', p .. 'erased_events', ARGV[1]) == 1 then
  add('x' .. ARGV[1])
end
return change and 1 or 0
"""
)
"""ARGV: keyed id. 1 where the log had the event."""

TRIM = (
    _COMMON
    + """
local numbers = redis.call('ZRANGEBYSCORE', p .. 'order', '(' .. ARGV[1], ARGV[2], 'LIMIT', 0, ARGV[3])
local n_dropped = 0
for _, n in ipairs(numbers) do
  local change = redis.call('HGET', p .. 'changes', n)
  local kind = change and string.sub(change, 1, 1)
  if kind == 'e' or kind == 'n' then
    forget(n, change)
    n_dropped = n_dropped + 1
  end
end
return {numbers[#numbers] or '', n_dropped}
"""
)
"""ARGV: after, up to, how many changes to look at. The last number looked at, and how many events went."""
