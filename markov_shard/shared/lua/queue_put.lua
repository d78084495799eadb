-- Adds a job to its stream unless it is there. KEYS: stream, index. ARGV: job, content.
-- Returns 1, or 0 when it was there. The index may outlive an entry (an emptied stream), so the stream is asked too.
local known = redis.call('HGET', KEYS[2], ARGV[1])
if known and #redis.call('XRANGE', KEYS[1], known, known) > 0 then
  return 0
end
local entry = redis.call('XADD', KEYS[1], '*', 'job', ARGV[2])
redis.call('HSET', KEYS[2], ARGV[1], entry)
return 1
