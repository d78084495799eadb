-- A shard process's second: heartbeat, renewal of its leases, and what it is to do.
-- A lease that vanished with an emptied Redis is written anew, since its epoch in Postgres still refuses everybody
-- but its latest holder. (One that may no longer be the latest asks Postgres before it asks here.)
-- KEYS: member, members, assignment, drains, gate, then leases. ARGV: name, life of a member in ms, description, life of a
-- lease in ms, then the epoch of each lease.
-- Returns {for each lease 1, or 0 when another holds it}, the assignment or '', 1 when asked to drain.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('HEXISTS', KEYS[1], 'joined_at') == 0 then
    redis.call('HSET', KEYS[1], 'joined_at', now)
end
redis.call('HSET', KEYS[1], 'expires_at', now + ARGV[2], 'description', ARGV[3])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('HSETNX', KEYS[5], 'founded_at', now) -- an emptied Redis is counted from its first visitor
local kept = {}
for number = 6, #KEYS do
    local lease = redis.call('HMGET', KEYS[number], 'holder', 'expires_at')
    if not lease[1] or lease[1] == ARGV[1] then
        redis.call('HSET', KEYS[number], 'holder', ARGV[1], 'epoch', ARGV[number - 1], 'expires_at', now + ARGV[4])
        kept[number - 5] = 1
    else
        kept[number - 5] = 0
    end
end
return {kept, redis.call('HGET', KEYS[3], 'content') or '', redis.call('SISMEMBER', KEYS[4], ARGV[1])}
