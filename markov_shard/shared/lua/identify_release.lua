-- Ends the hold on a bucket. KEYS: bucket. ARGV: holder, ms from now until the next ticket may be taken.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
if redis.call('HGET', KEYS[1], 'holder') == ARGV[1] then
    redis.call('HSET', KEYS[1], 'holder', '', 'next_at', now + ARGV[2])
end
return 1
