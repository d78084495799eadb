-- Takes a bucket's IDENTIFY ticket. KEYS: bucket, gate. ARGV: holder, window in ms, longest hold in ms.
-- Returns 0 when taken, else the milliseconds after which it is worth asking again.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local opens_at = redis.call('HGET', KEYS[2], 'opens_at')
if not opens_at then
    return 250 -- the leader has not opened the gate yet
end
if tonumber(opens_at) > now then
    return tonumber(opens_at) - now
end
local bucket = redis.call('HMGET', KEYS[1], 'holder', 'held_until', 'next_at')
local held = bucket[1] and bucket[1] ~= '' and tonumber(bucket[2]) > now
if held and bucket[1] == ARGV[1] then
    return 0 -- the answer to an earlier try was lost
end
if held then
    return math.min(tonumber(bucket[2]) - now, 250)
end
if bucket[3] and tonumber(bucket[3]) > now then
    return tonumber(bucket[3]) - now
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'held_until', now + ARGV[3], 'next_at', now + ARGV[2])
return 0
