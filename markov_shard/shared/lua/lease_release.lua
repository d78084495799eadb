-- Lets leases go at once, those that are ours. KEYS: leases. ARGV: holder. Returns how many were.
local released = 0
for _, key in ipairs(KEYS) do
    if redis.call('HGET', key, 'holder') == ARGV[1] then
        released = released + redis.call('DEL', key)
    end
end
return released
