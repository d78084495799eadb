-- Renews leases we hold; one that vanished with an emptied Redis is written anew, since its epoch in Postgres
-- still refuses everybody but its latest holder.
-- KEYS: leases. ARGV: holder, life in ms, then the epoch of each. Returns for each 1, or 0 when another holds it.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local kept = {}
for number, key in ipairs(KEYS) do
    local lease = redis.call('HMGET', key, 'holder', 'expires_at')
    if not lease[1] or lease[1] == ARGV[1] then
        redis.call('HSET', key, 'holder', ARGV[1], 'epoch', ARGV[number + 2], 'expires_at', now + ARGV[2])
        kept[number] = 1
    else
        kept[number] = 0
    end
end
return kept
