-- Keeps a piece of a chain image, unless the image was buried: a slow reader must not bring back what was forgotten.
-- KEYS: chunk, the image's burial. ARGV: bytes, life in seconds. Returns 1, or 0 when it is not kept.
if redis.call('EXISTS', KEYS[2]) == 1 then
    return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
