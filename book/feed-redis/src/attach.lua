-- Which log is this? Gives its epoch and its head.
-- KEYS: the log's name, its stream.
-- ARGV: the epoch a new log would have; the epoch, the number and the mark of the last update that this node has told;
-- after how many milliseconds without a node the log is forgotten, 0 for never.
local epoch = redis.call('HGET', KEYS[1], 'epoch')
local head = redis.call('HGET', KEYS[1], 'head') or '0'
local known, seen, mark = ARGV[2], ARGV[3], ARGV[4]

local function field(entry, name)
  for i = 1, #entry[2], 2 do
    if entry[2][i] == name then return entry[2][i + 1] end
  end
end

local function whole()
  if not epoch then return false end
  local last = redis.call('XREVRANGE', KEYS[2], '+', '-', 'COUNT', 1)[1]
  if (last and last[1] or '0-0') ~= head .. '-0' then return false end
  if last and field(last, 'epoch') ~= epoch then return false end
  if known ~= epoch then return true end
  -- What has been told stands in the log as it was told: a Redis that came
  -- back with an older copy of its data would number other updates the same.
  if tonumber(seen) > tonumber(head) then return false end
  local told = redis.call('XRANGE', KEYS[2], seen .. '-0', seen .. '-0')[1]
  return not told or field(told, 'by') == mark
end

if not whole() then
  epoch, head = ARGV[1], '0'
  redis.call('DEL', KEYS[2])
  redis.call('HSET', KEYS[1], 'epoch', epoch, 'head', head)
end
if ARGV[5] ~= '0' then
  -- Every node comes by here, each second while nothing happens, so this is told anew as long as there is one.
  redis.call('PEXPIRE', KEYS[1], ARGV[5])
  redis.call('PEXPIRE', KEYS[2], ARGV[5])
end
return { epoch, head }
