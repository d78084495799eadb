-- The processes whose heartbeat has not expired; the others are swept.
-- KEYS: members. ARGV: prefix of a member's key, in the same slot. Returns {name, age in ms, description} of each.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local alive = {}
for _, name in ipairs(redis.call('SMEMBERS', KEYS[1])) do
    local key = ARGV[1] .. name
    local member = redis.call('HMGET', key, 'expires_at', 'description', 'joined_at')
    if member[1] and tonumber(member[1]) > now then
        alive[#alive + 1] = {name, now - tonumber(member[3]), member[2]}
    else
        redis.call('DEL', key)
        redis.call('SREM', KEYS[1], name)
    end
end
return alive
