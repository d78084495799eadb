-- Lets a lease go at once, if it is ours. KEYS: lease. ARGV: holder. Returns 1 when it was.
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
    return redis.call('DEL', KEYS[1])
end
return 0
