-- Keeps a refreshed CDN URL and ends the caller's hold on it. KEYS: url, refresh.
-- ARGV: holder, url, life in ms, until when it is valid in ms by the caller's clock.
redis.call('HSET', KEYS[1], 'url', ARGV[2], 'until', ARGV[4])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then
    redis.call('DEL', KEYS[2])
end
return 1
