-- Saves a session position, unless a later owner of the shard has saved one.
-- KEYS: session. ARGV: epoch, content. Returns 1 when saved.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
if epoch and tonumber(epoch) > tonumber(ARGV[1]) then
    return 0
end
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'content', ARGV[2])
return 1
