-- Gives dead letters another reason, and makes the stream anew: XDEL alone would leave the old text in its memory and
-- files. KEYS: dead letters. ARGV: guild, reason, then the jobs' IDs.
local wanted = {}
for place = 3, #ARGV do
  wanted[ARGV[place]] = true
end
local letters = redis.call('XRANGE', KEYS[1], '-', '+')
redis.call('DEL', KEYS[1])
for _, letter in ipairs(letters) do
  local fields, named = letter[2], {}
  for place = 1, #fields, 2 do
    named[fields[place]] = place + 1
  end
  if named.guild and named.job and named.reason and fields[named.guild] == ARGV[1] and wanted[fields[named.job]] then
    fields[named.reason] = ARGV[2]
  end
  redis.call('XADD', KEYS[1], letter[1], unpack(fields))
end
return #letters
