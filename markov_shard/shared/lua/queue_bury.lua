-- Moves a delivery to the dead letters. KEYS: stream, index, dead letters.
-- ARGV: group, entry, job ('' when it cannot be read), letters kept, then the letter's fields and values.
local letter = {}
for place = 5, #ARGV do
  letter[#letter + 1] = ARGV[place]
end
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[4], '*', unpack(letter))
redis.call('XACK', KEYS[1], ARGV[1], ARGV[2])
redis.call('XDEL', KEYS[1], ARGV[2])
if ARGV[3] ~= '' and redis.call('HGET', KEYS[2], ARGV[3]) == ARGV[2] then
  redis.call('HDEL', KEYS[2], ARGV[3])
end
return 1
