-- Makes a delivery young again, if it is still this consumer's. KEYS: stream. ARGV: group, consumer, entry.
-- Returns 1, or 0 when it is somebody else's or gone; a paused worker must not take back what was reclaimed.
local found = redis.pcall('XPENDING', KEYS[1], ARGV[1], ARGV[3], ARGV[3], 1)
if found.err or #found == 0 or found[1][2] ~= ARGV[2] then
  return 0
end
redis.call('XCLAIM', KEYS[1], ARGV[1], ARGV[2], 0, ARGV[3], 'JUSTID')
return 1
