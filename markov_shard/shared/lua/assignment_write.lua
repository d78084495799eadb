-- Writes the assignment, if we still lead. KEYS: leader, assignment. ARGV: holder, content. Returns 1 when written.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local leader = redis.call('HMGET', KEYS[1], 'holder', 'expires_at')
if leader[1] ~= ARGV[1] or tonumber(leader[2]) <= now then
    return 0
end
redis.call('HSET', KEYS[2], 'content', ARGV[2])
return 1
