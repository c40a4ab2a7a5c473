-- Takes or keeps the turn; gives 1 if it is this node's.
-- KEYS: the turn. ARGV: the node, how long its turn is, in milliseconds.
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
