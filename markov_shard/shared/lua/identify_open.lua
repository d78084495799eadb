-- Opens the gate `wait` ms from now, unless it was opened before. KEYS: gate. ARGV: wait in ms.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
return redis.call('HSETNX', KEYS[1], 'opens_at', now + ARGV[1])
