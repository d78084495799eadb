-- Takes a lease that is free, expired or already ours.
-- KEYS: lease. ARGV: holder, life in ms. Returns the holder afterwards, and its epoch ('' before one is set).
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local lease = redis.call('HMGET', KEYS[1], 'holder', 'epoch', 'expires_at')
if lease[1] and lease[1] ~= ARGV[1] and tonumber(lease[3]) > now then
    return {lease[1], lease[2] or ''}
end
if lease[1] ~= ARGV[1] then
    redis.call('HDEL', KEYS[1], 'epoch')
end
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'expires_at', now + ARGV[2])
return {ARGV[1], redis.call('HGET', KEYS[1], 'epoch') or ''}
