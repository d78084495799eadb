-- Redis's own time in milliseconds since 1970: in a cluster, that of the server which holds the key.
-- KEYS: any.
local now = redis.call('TIME')
return now[1] * 1000 + math.floor(now[2] / 1000)
