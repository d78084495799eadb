-- Puts a delivery at the end of its stream, for any worker. KEYS: stream, index. ARGV: group, entry, job, content.
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
local entry = redis.call('XADD', KEYS[1], '*', 'job', ARGV[4])
redis.call('HSET', KEYS[2], ARGV[3], entry)
return 1
