--- A lock in a lua_shared_dict, which one light thread of all workers has. It ends with its holder's process: who finds it
-- taken looks whether that process is still there, and one of those who find it gone takes it over.
-- In a full dict it takes the place of what was put there for that beforehand.
-- Must never be given up by the clock alone where it can be known that its holder lives.

local M = {}

local ROOMS = { " room 1", " room 2" } -- behind its key: for itself, and for the right to take it over
local SIZE = 64 -- bytes of all of these, values and what stands behind the lock's key: nginx has room for one size only in its place

local LEASE = 120 -- seconds, where it can't be known
local RIGHT = 5 -- seconds that the right to take over a dead holder's lock lasts

local count = 0

-- When a process began, in the system's own measure: another one of the same number began later. nil: there is none, or it
-- can't be known.
local function beginning(pid)
  local stat = io.open("/proc/" .. pid .. "/stat", "r")
  local text = stat and stat:read "*l"
  if stat then
    stat:close()
  end
  local fields = text and text:match "^.*%) (.*)$" -- the program's name may hold anything
  local n = 2
  for field in (fields or ""):gmatch "%S+" do
    n = n + 1
    if n == 3 and (field == "Z" or field == "X") then
      return nil -- killed, and not yet forgotten
    elseif n == 22 then
      return field
    end
  end
end

local function fill(text, length)
  return text .. (" "):rep(length - #text)
end

-- What stands in the dict while this process holds the lock, another each time.
local function new_token()
  local pid = ngx.worker.pid()
  count = count + 1
  return fill(("%d %s %d"):format(pid, beginning(pid) or "?", count), SIZE)
end

local function is_dead(token)
  local pid, began = token:match "^(%d+) (%S+)"
  return began ~= "?" and beginning(pid) ~= began
end

---@class authgear.openresty.Lock
local Lock = {}
Lock.__index = Lock

local function refused(self, why)
  return nil, "storage", ("no lock in lua_shared_dict '%s': %s"):format(self.dict_name, why), true
end

-- Puts something into the dict, in a full one where there was room kept for it.
local function put_in(self, how, key, value, lease)
  local dict = self.dict
  local ok, why = dict[how](dict, key, value, lease)
  for _, room in ipairs(ROOMS) do
    if why == "no memory" and dict:get(self.key .. room) then
      dict:delete(self.key .. room)
      self.lacks_room = true
      ok, why = dict[how](dict, key, value, lease)
    end
  end
  return ok, why
end

local function put(self, how, token)
  local lease = token:find("?", 1, true) and LEASE or 0
  local ok, why = put_in(self, how, self.key, token, lease)
  if ok then
    self.token = token
    return true
  elseif why == "exists" then
    return false
  end
  return refused(self, why)
end

--- Takes it without waiting: true; false: another has it; nil, code, message, retryable.
function Lock:try()
  local holder = self.dict:get(self.key)
  if not holder then
    return put(self, "safe_add", new_token())
  elseif not is_dead(holder) then
    return false
  end
  local right = " after " .. holder:match "^.*%S"
  local mine, why = put_in(self, "safe_add", self.key .. right, fill("", SIZE - #right), RIGHT)
  self.lacks_room = true -- the dead one may have used it
  if mine and self.dict:get(self.key) == holder then
    return put(self, "safe_set", new_token())
  elseif not mine and why ~= "exists" then
    return refused(self, why)
  end
  return false
end

--- Gives it back, if it is ours.
function Lock:unlock()
  if self.token and self.dict:get(self.key) == self.token then
    self.dict:delete(self.key)
    if self.lacks_room then
      self:keep_room()
    end
  end
  self.token = nil
  return true
end

--- Keeps room for it, as long as the record that has just been written lives. What there is no room for now (a dead holder's
-- lock has been taken over: that takes two places until the lock is given back) is looked for at the next unlock.
function Lock:keep_room()
  self.lacks_room = false
  for _, room in ipairs(ROOMS) do
    local key = self.key .. room
    local _, why = self.dict:safe_add(key, fill("", SIZE - #room), self.expires)
    if why == "exists" and self.expires > 0 then
      self.dict:expire(key, self.expires)
    elseif why == "no memory" then
      self.lacks_room = true
    end
  end
end

function Lock:give_up_room()
  self.lacks_room = false
  for _, room in ipairs(ROOMS) do
    self.dict:delete(self.key .. room)
  end
end

---@param dict table
---@param dict_name string
---@param key string
---@param expires number seconds that room is kept for it (0: for ever)
---@return authgear.openresty.Lock
function M.new(dict, dict_name, key, expires)
  return setmetatable({ dict = dict, dict_name = dict_name, key = key, expires = expires }, Lock)
end

return M
