-- Asks for a CDN URL, and takes on its refresh where nobody knows it. KEYS: url, refresh. ARGV: holder, hold in ms.
-- Returns {'known', url}, {'take'} when the caller is to refresh it, or {'wait'} while another process does.
local known = redis.call('GET', KEYS[1])
if known then
    return {'known', known}
end
local holder = redis.call('GET', KEYS[2])
if holder and holder ~= ARGV[1] then
    return {'wait'}
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
return {'take'}
