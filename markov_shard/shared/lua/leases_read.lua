-- KEYS: leases. Returns for each {holder, epoch, milliseconds left}, with '' as holder when nobody holds it.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local found = {}
for number, key in ipairs(KEYS) do
    local lease = redis.call('HMGET', key, 'holder', 'epoch', 'expires_at')
    if lease[1] and tonumber(lease[3]) > now then
        found[number] = {lease[1], lease[2] or '', tonumber(lease[3]) - now}
    else
        found[number] = {'', '', 0}
    end
end
return found
