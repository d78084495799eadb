-- Counts an answer of 401, 403 or 429 in the present minute, and forgets the minutes that count no more.
-- KEYS: rest. ARGV: 1 to count one, 0 to look. Returns the invalid answers of ten minutes.
local minute = math.floor(redis.call('TIME')[1] / 60)
if ARGV[1] == '1' then
    redis.call('HINCRBY', KEYS[1], 'invalid:' .. minute, 1)
end
local invalid = 0
for _, name in ipairs(redis.call('HKEYS', KEYS[1])) do
    local of = tonumber(string.match(name, '^invalid:(%d+)$'))
    if of and of < minute - 10 then
        redis.call('HDEL', KEYS[1], name)
    elseif of then
        invalid = invalid + tonumber(redis.call('HGET', KEYS[1], name))
    end
end
return invalid
