--- Logins under way in a lua_shared_dict: begun in one worker, finished in any other, once. Each is a list of one, for what is
-- taken out of a list is taken out by one worker. They have a fixed number of places for all clients of the dict: the oldest
-- of too many goes, as nobody has to finish what they began.
-- Must never evict a session, nor take more than its share of the dict.

local M = {}

local PREFIX = "authgear:login:"
local PLACE, COUNT = PREFIX .. "place:", PREFIX .. "count"
local SHARE = 8 -- the places take at most one part in so many of the dict
local SIZE = 2048 -- bytes for each: what a login and its place take
local FEWEST = 4

local function places(dict)
  return math.max(FEWEST, math.floor(dict:capacity() / SHARE / SIZE))
end

-- The next place's key. nil, why: the dict is full.
local function next_place(dict)
  local ok, why = dict:safe_add(COUNT, 0)
  if not ok and why ~= "exists" then
    return nil, why
  end
  local n
  n, why = dict:incr(COUNT, 1)
  return n and PLACE .. n % places(dict), why
end

-- Whoever was in that place before has to go.
local function move_in(dict, place, key)
  local old = dict:get(place)
  if old then
    dict:delete(old)
  end
  return dict:safe_set(place, key)
end

--- Keeps one, in the place of what had its name before.
---@param dict table
---@param name string
---@param bytes string
---@param seconds number
---@return boolean|nil ok
---@return string|nil why there is no room for it
function M.keep(dict, name, bytes, seconds)
  local key = PREFIX .. name
  local place, why = next_place(dict)
  local ok = place ~= nil
  if ok then
    ok, why = move_in(dict, place, key)
  end
  if ok then
    dict:delete(key)
    ok, why = dict:rpush(key, bytes)
  end
  if ok then
    dict:expire(key, seconds)
    return true
  end
  return nil, why
end

--- Takes one out: the bytes, or nil.
function M.take(dict, name)
  return (dict:lpop(PREFIX .. name))
end

return M
