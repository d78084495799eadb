-- Asks for a CDN URL, and takes on its refresh where nobody knows a valid one. KEYS: url, refresh.
-- ARGV: holder, hold in ms, now in ms by the caller's clock.
-- Returns {'known', url}, {'take'} when the caller is to refresh it, or {'wait'} while another process does.
local known = redis.call('HMGET', KEYS[1], 'url', 'until')
if known[1] and tonumber(known[2]) > tonumber(ARGV[3]) then
    return {'known', known[1]}
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then
    return {'wait'}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'take'}
