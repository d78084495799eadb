-- A process's heartbeat. KEYS: member, members. ARGV: name, life in ms, description. Returns 1 when it is new.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('HEXISTS', KEYS[1], 'joined_at') == 0 then
    redis.call('HSET', KEYS[1], 'joined_at', now)
end
redis.call('HSET', KEYS[1], 'expires_at', now + ARGV[2], 'description', ARGV[3])
return redis.call('SADD', KEYS[2], ARGV[1])
