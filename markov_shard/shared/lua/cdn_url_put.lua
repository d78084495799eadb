-- Keeps a refreshed CDN URL and ends the caller's hold on it. KEYS: url, refresh. ARGV: holder, url, life in ms.
redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
if redis.call('GET', KEYS[2]) == ARGV[1] then
    redis.call('DEL', KEYS[2])
end
return 1
