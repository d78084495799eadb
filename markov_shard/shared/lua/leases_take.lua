-- Takes leases that are free, expired or already ours. An emptied Redis cannot tell free from forgotten, so after a
-- loss nothing is given away until every lease of before has run out by its holder's own clock.
-- KEYS: gate, then leases. ARGV: holder, life in ms. Returns for each 1 when it is ours now, else 0.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local leases_from = redis.call('HGET', KEYS[1], 'leases_from')
local closed = not leases_from or tonumber(leases_from) > now
local taken = {}
for number = 1, #KEYS - 1 do
    local key = KEYS[number + 1]
    local lease = redis.call('HMGET', key, 'holder', 'expires_at')
    if closed and lease[1] ~= ARGV[1] then
        taken[number] = 0
    elseif lease[1] and lease[1] ~= ARGV[1] and tonumber(lease[2]) > now then
        taken[number] = 0
    else
        if lease[1] ~= ARGV[1] then
            redis.call('HDEL', key, 'epoch')
        end
        redis.call('HSET', key, 'holder', ARGV[1], 'expires_at', now + ARGV[2])
        taken[number] = 1
    end
end
return taken
