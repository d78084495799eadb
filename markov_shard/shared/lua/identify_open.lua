-- Opens the gate `wait` ms from now, and the giving of leases, unless they were opened before; notes the day's budget
-- as Discord says it.
-- Within a day the smaller count holds: tickets under way are in the ledger and not yet in Discord's.
-- KEYS: gate. ARGV: wait in ms, total, remaining, ms until the budget is reset, reserve, wait for leases in ms.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local remaining = tonumber(ARGV[3])
local gate = redis.call('HMGET', KEYS[1], 'opens_at', 'remaining', 'resets_at')
if not gate[1] then
    local founded_at = tonumber(redis.call('HGET', KEYS[1], 'founded_at') or now)
    redis.call('HSET', KEYS[1], 'opens_at', now + ARGV[1], 'leases_from', founded_at + ARGV[6])
elseif gate[2] and tonumber(gate[3]) > now then
    remaining = math.min(remaining, tonumber(gate[2]))
end
redis.call('HSET', KEYS[1], 'total', ARGV[2], 'remaining', remaining, 'resets_at', now + ARGV[4], 'reserve', ARGV[5])
return remaining
