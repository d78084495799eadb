-- Discord said that the whole bot must wait: no request's time comes before then.
-- KEYS: rest. ARGV: microseconds to wait, microseconds a request takes of the rate, requests that may come at once.
local time = redis.call('TIME')
local until_then = time[1] * 1000000 + time[2] + ARGV[1] + ARGV[2] * ARGV[3]
if tonumber(redis.call('HGET', KEYS[1], 'free_at') or 0) < until_then then
    redis.call('HSET', KEYS[1], 'free_at', string.format('%.0f', until_then))
end
return 1
