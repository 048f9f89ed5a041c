--- The storage in a lua_shared_dict, which all workers share. With `file` the file is the truth and the dict its cache: a
-- restart of nginx empties the dict.
-- Must never lose a record because the dict is full, nor have another record evicted.
local lock = require "authgear.openresty.lock"
local logins = require "authgear.openresty.logins"

local PREFIX = "authgear:session:"
local SPARE = ":new" -- after a record's key: it, while it moves to a larger place
local LOCK = ":lock"
local UNIT = 2048 -- bytes that a record's place is rounded up to
local LOOK = 1 -- seconds between two looks at the file: other programs may change it

local NOT_READ = {} -- no record is this

-- What stands in the dict, spaces at its end included, and the record's length. They are compared as they are.
local function peek(self)
  local bytes, length = self.dict:get(self.key)
  if not bytes then
    bytes, length = self.dict:get(self.key .. SPARE)
  end
  return bytes, length
end

local function read(self)
  local bytes, length = peek(self)
  self.seen = bytes
  return bytes and bytes:sub(1, length)
end

local function full(self, why, what)
  return nil, "storage", ("lua_shared_dict '%s' can't take the %s: %s; make it larger"):format(self.dict_name, what, why), true
end

-- A record has a place as large as the one before it, if it fits: then nothing has to be found in a full dict. For a larger
-- one it is made sure first that there is room, as the dict forgets the old one before it looks for room for the new.
local function write(self, text)
  local dict, key, length = self.dict, self.key, #text
  local old = dict:get(key)
  local size = math.ceil(length / UNIT) * UNIT
  if old and #old > size then
    size = #old
  end
  local bytes = text .. (" "):rep(size - length)
  local moves = not (old and #old == size)
  local ok, why = dict:safe_set(moves and key .. SPARE or key, bytes, self.expires, length)
  if ok and self.lock then
    self.lock:keep_room()
  end
  if not ok then
    return full(self, why, "session")
  elseif moves and dict:safe_set(key, bytes, self.expires, length) then
    dict:delete(key .. SPARE)
  end
  self.seen = bytes
  return true
end

local function forget(self)
  self.dict:delete(self.key)
  self.dict:delete(self.key .. SPARE)
  if self.lock then
    self.lock:give_up_room()
  end
  self.seen = nil
  return true
end

-- Logins under way are in the dict, with a file too: a restart ends them.

local function keep_login(self, name, bytes, seconds)
  local ok, why = logins.keep(self.dict, self.name .. ":" .. name, bytes, seconds)
  if not ok then
    return full(self, why, "log-in")
  end
  return true
end

local function take_login(self, name)
  return logins.take(self.dict, self.name .. ":" .. name)
end

-- Of the dict alone.

---@class authgear.openresty.Storage
local Dict = { get = read, set = write, del = forget, keep = keep_login, take = take_login }
Dict.__index = Dict

function Dict:changed()
  return peek(self) ~= self.seen
end

function Dict:try_lock()
  return self.lock:try()
end

function Dict:unlock()
  return self.lock:unlock()
end

Dict.close = Dict.unlock

-- With a file. What the dict says is taken for true only where nothing is decided by it: the holder of the lock reads the file.

---@class authgear.openresty.CachedFile
local Cached = { keep = keep_login, take = take_login }
Cached.__index = Cached

-- Puts what the file says into the dict. Without the lock only where nothing is: it may be outdated already.
local function keep(self, text)
  local known = read(self)
  if known ~= text and (text == nil or (known ~= nil and not self.locked) or not write(self, text)) then
    forget(self)
  end
end

function Cached:get()
  local known = not self.locked and not self.stale and read(self)
  if known then
    return known
  end
  local text, code, message, retryable = self.file:get()
  if text == nil and code then
    return nil, code, message, retryable
  end
  self.stale = false
  keep(self, text)
  return text
end

-- The dict forgets first: whoever is killed in between leaves an empty one.
function Cached:set(text)
  forget(self)
  local ok, code, message, retryable = self.file:set(text)
  if ok then
    keep(self, text)
  end
  return ok, code, message, retryable
end

function Cached:del()
  forget(self)
  return self.file:del()
end

function Cached:changed()
  local now = ngx.now()
  if now - self.looked >= LOOK then
    self.looked = now
    local changed, code, message, retryable = self.file:changed()
    if changed ~= false then
      self.stale = true
      return changed, code, message, retryable
    end
  end
  return self.stale or peek(self) ~= self.seen
end

function Cached:try_lock()
  local taken, code, message, retryable = self.file:try_lock()
  self.locked = taken or false
  return taken, code, message, retryable
end

function Cached:unlock()
  self.locked = false
  return self.file:unlock()
end

function Cached:close()
  self.locked = false
  return self.file:close()
end

local M = {}

--- Opens it for one client; see authgear.storage.open.
---@param dict_name string
---@param file table|nil a storage that is the truth, as authgear.storage.file makes it
---@param name string
---@param expires number|nil seconds, for the dict alone
function M.open(dict_name, file, name, expires)
  local self = { dict = ngx.shared[dict_name], dict_name = dict_name, name = name, key = PREFIX .. name, expires = expires or 0,
    seen = NOT_READ, kind = "dict" }
  if not file then
    self.lock = lock.new(self.dict, dict_name, self.key .. LOCK, self.expires)
    return setmetatable(self, Dict), nil, nil, nil, true
  end
  local code, message, retryable
  self.file, code, message, retryable = file.open(name)
  if not self.file then
    return nil, code, message, retryable
  end
  self.looked, self.stale = 0, false
  return setmetatable(self, Cached), nil, nil, nil, true
end

return M
