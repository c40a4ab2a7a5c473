-- Appends an update; gives its number, or nothing if the log is another one by now.
-- KEYS: the log's name, its stream.
-- ARGV: the epoch, and the number that this node has told in it; the update's mark and data; how many updates the log
-- keeps; whether this was asked for before; after how many milliseconds without a node the log is forgotten, 0 for never.
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return false end
-- A log that has lost what was told is another one as soon as a reader sees it: nothing more goes into it.
if tonumber(redis.call('HGET', KEYS[1], 'head')) < tonumber(ARGV[2]) then return false end
if ARGV[6] == 'again' then
  -- The answer may have been lost, and not the update.
  for _, entry in ipairs(redis.call('XREVRANGE', KEYS[2], '+', '-')) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'by' and entry[2][i + 1] == ARGV[3] then
        return tonumber(string.match(entry[1], '^%d+'))
      end
    end
  end
end
local seq = redis.call('HGET', KEYS[1], 'head') + 1
redis.call('XADD', KEYS[2], 'MAXLEN', ARGV[5], string.format('%.0f-0', seq),
  'epoch', ARGV[1], 'by', ARGV[3], 'data', ARGV[4])
-- Only now: a stream that has not taken it ends the script above.
redis.call('HINCRBY', KEYS[1], 'head', 1)
if ARGV[7] ~= '0' then
  redis.call('PEXPIRE', KEYS[1], ARGV[7])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
return seq
