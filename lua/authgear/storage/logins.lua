--- Log-ins under way, in a file beside the client's record: begun by one process, finished by any other, once. Those that are
-- never finished stay until newer ones push them out; the core refuses them when they are too old, and none can be read without
-- its callback.
-- Must never keep its lock while anybody else's code runs.
local blocking = require "authgear.host.blocking"
local core = require "authgear.core"
local protect = require "authgear.protect"

local HEAD = "authgear log-ins 1\n"
local MOST = 16
local PATIENCE = 10 -- seconds for the lock, which is held for as long as a small file is written
local PAUSE = 0.002 -- seconds between two tries

-- What a file says, oldest first. What is damaged, or newer than ours, counts as nothing: then somebody begins again.
local function read(text)
  local list, at = {}, #HEAD + 1
  if not text or text:sub(1, #HEAD) ~= HEAD then
    return list
  end
  while at <= #text do
    local name, size, start = text:match("^([%w_-]+) (%d+)\n()", at)
    size = tonumber(size)
    if not size or start + size - 1 > #text then
      return {}
    end
    list[#list + 1] = { name = name, bytes = text:sub(start, start + size - 1) }
    at = start + size
  end
  return list
end

local function write(list)
  local parts = { HEAD }
  for _, one in ipairs(list) do
    parts[#parts + 1] = ("%s %d\n%s"):format(one.name, #one.bytes, one.bytes)
  end
  return table.concat(parts)
end

-- Takes one out of the list: its bytes, or nil.
local function remove(list, name)
  for i, one in ipairs(list) do
    if one.name == name then
      return table.remove(list, i).bytes
    end
  end
end

local function store_list(store, list)
  if #list == 0 then
    return store:del()
  end
  return store:set(write(list))
end

-- With the lock: change(list) -> what is to be returned, and whether the list was changed.
local function update(store, change)
  local text, code, message, retryable = store:get()
  if text == nil and code then
    return nil, code, message, retryable
  end
  local list = read(text)
  local value, changed = change(list)
  if changed then
    local done
    done, code, message, retryable = store_list(store, list)
    if not done then
      return nil, code, message, retryable
    end
  end
  return value
end

local function lock(store, host)
  local last = core.now() + PATIENCE
  while true do
    local taken, code, message, retryable = store:try_lock()
    if taken then
      return true
    elseif taken == nil then
      return nil, code, message, retryable
    elseif core.now() > last then
      return nil, "lock_timeout", "another process keeps the lock of the log-ins under way", true
    end
    local refusal = host.refuses and host.refuses()
    if refusal then
      return nil, "phase", refusal
    end
    host.sleep(PAUSE)
  end
end

local function unlocked(store, ok, ...)
  store:unlock()
  if not ok then
    error((...), 0)
  end
  return ...
end

-- A store for each call: of one that is interrupted between two lines here, the collector lets go of the lock.
local function with_lock(dir, name, host, change)
  local store, code, message, retryable = require("authgear.storage.file").new { dir = dir, name = name .. "/logins" }
  if not store then
    return nil, code, message, retryable
  end
  local ok
  ok, code, message, retryable = lock(store, host or blocking)
  if not ok then
    return nil, code, message, retryable
  end
  return unlocked(store, protect(update, store, change))
end

local M = {}

--- Keeps one, in place of what had its name.
---@param dir string of the client's record
---@param name string the client's
---@param login string
---@param bytes string
---@param _ number|nil for how many seconds; it is the core that refuses what is older
---@param host authgear.Host|nil by which the lock is waited for
---@return boolean|nil ok
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
function M.keep(dir, name, login, bytes, _, host)
  return with_lock(dir, name, host, function(list)
    remove(list, login)
    while #list >= MOST do
      table.remove(list, 1)
    end
    list[#list + 1] = { name = login, bytes = bytes }
    return true, true
  end)
end

--- Hands it out and forgets it; nil: there is none.
---@param host authgear.Host|nil as keep's
---@return string|nil bytes
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
function M.take(dir, name, login, host)
  return with_lock(dir, name, host, function(list)
    local bytes = remove(list, login)
    return bytes, bytes ~= nil
  end)
end

return M
