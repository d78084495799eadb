-- Publishes the flags, unless a later change was published before. KEYS: flags.
-- ARGV: number of the change, content, 'force' to publish an earlier one (Postgres was restored from a backup).
local live = redis.call('HGET', KEYS[1], 'change')
if live and tonumber(live) >= tonumber(ARGV[1]) and ARGV[3] ~= 'force' then
    return 0
end
redis.call('HSET', KEYS[1], 'change', ARGV[1], 'content', ARGV[2])
return 1
