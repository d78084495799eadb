-- Takes a bucket's IDENTIFY ticket, and one of the day's budget, of which the reserve is for recovery alone. A ticket is
-- given a little before the bucket's window has passed, so that its taker connects meanwhile.
-- KEYS: bucket, gate. ARGV: holder, window in ms, longest hold in ms, 1 for recovery, ms by which to give it early.
-- Returns {0, 0, milliseconds after which the IDENTIFY may be sent} when taken, else {milliseconds after which it is
-- worth asking again, why, 0}: 1 the gate is not open, 2 the bucket is held, 3 its window has not passed, 4 the budget
-- is spent.
local now = redis.call('TIME')
now = now[1] * 1000 + math.floor(now[2] / 1000)
local gate = redis.call('HMGET', KEYS[2], 'opens_at', 'remaining', 'resets_at', 'reserve')
if not gate[1] then
    return {250, 1, 0} -- the leader has not opened the gate yet
end
if tonumber(gate[1]) > now then
    return {tonumber(gate[1]) - now, 1, 0}
end
local bucket = redis.call('HMGET', KEYS[1], 'holder', 'held_until', 'next_at')
local held = bucket[1] and bucket[1] ~= '' and tonumber(bucket[2]) > now
local next_at = tonumber(bucket[3] or 0)
local early = next_at - now - ARGV[5]
if held and bucket[1] == ARGV[1] then
    return {0, 0, math.max(next_at - ARGV[2] - now, 0)} -- the answer to an earlier try was lost
end
if held then
    return {math.min(tonumber(bucket[2]) - now, math.max(early, 250)), 2, 0}
end
if early > 0 then
    return {early, 3, 0}
end
if gate[2] and tonumber(gate[3]) > now then
    local kept = ARGV[4] == '1' and 0 or tonumber(gate[4])
    if tonumber(gate[2]) <= kept then
        return {math.min(tonumber(gate[3]) - now, 5000), 4, 0}
    end
end
if gate[2] then
    redis.call('HINCRBY', KEYS[2], 'remaining', -1)
end
local sent_at = math.max(next_at, now)
redis.call('HSET', KEYS[1], 'holder', ARGV[1], 'held_until', sent_at + ARGV[3], 'next_at', sent_at + ARGV[2])
return {0, 0, sent_at - now}
