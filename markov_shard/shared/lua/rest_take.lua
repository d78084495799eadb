-- Gives a REST request its time, so that the requests of all processes keep a rate (GCRA: each request moves the time
-- at which the bucket is empty by one interval). Says too how many of the last ten minutes' answers were invalid.
-- KEYS: rest, members. ARGV: microseconds a request takes of the rate, requests that may come at once.
-- Returns {microseconds to wait, invalid answers in ten minutes, members of the fleet}.
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local interval = tonumber(ARGV[1])
local free_at = math.max(tonumber(redis.call('HGET', KEYS[1], 'free_at') or 0), now) + interval
redis.call('HSET', KEYS[1], 'free_at', string.format('%.0f', free_at))
local invalid = 0
local minute = math.floor(time[1] / 60)
for back = 0, 10 do
    invalid = invalid + tonumber(redis.call('HGET', KEYS[1], 'invalid:' .. (minute - back)) or 0)
end
return {math.max(0, free_at - interval * ARGV[2] - now), invalid, redis.call('SCARD', KEYS[2])}
