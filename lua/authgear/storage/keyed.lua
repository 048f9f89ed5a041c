--- The file storage with a key that comes from elsewhere: asked for when a record is met that needs it, or when the
-- first is written. Must never have a new key made while there is a record that an old one has encrypted.
local core = require "authgear.core"
local errors = require "authgear.errors"
local file = require "authgear.storage.file"
local protect = require "authgear.protect"

---@class authgear.KeyedStorage
local Keyed = { kind = "file" }
Keyed.__index = Keyed

-- What the source answered instead of a key. Words of its own are not passed on: it deals in keys.
local function refused(key, why)
  if key ~= nil then
    return nil, "user_code", "the key source gave something else than 32 bytes", false
  elseif errors.is(why) then
    return nil, why.code, why.message, why.retryable
  elseif why == nil then
    return nil, "storage_key", "there is no key for the encrypted session", false
  elseif type(why) == "table" and type(why.code) == "string" and core.retryable(why.code) ~= nil then
    return nil, why.code, "the key source failed", why.retryable
  end
  return nil, "keyring", "the key source failed"
end

-- Has the source give the key. True, or nil, code, message, retryable.
local function take_key(self, make)
  local ok, key, why = protect(self.source.get, self.source, self.name, make)
  if not ok then
    return nil, "user_code", "the key source raised an error", false
  elseif type(key) ~= "string" or #key ~= 32 then
    return refused(key, why)
  end
  return self.store:use_key(key)
end

function Keyed:get()
  local text, code, message, retryable = self.store:get()
  if code ~= "storage_key" then
    return text, code, message, retryable
  end
  local ok
  ok, code, message, retryable = take_key(self, false)
  if not ok then
    return nil, code, message, retryable
  end
  return self.store:get()
end

function Keyed:set(bytes)
  local done, code, message, retryable = self.store:set(bytes)
  if code ~= "storage_key" then
    return done, code, message, retryable
  end
  local _, why = self.store:get()
  done, code, message, retryable = take_key(self, why ~= "storage_key")
  if not done then
    return nil, code, message, retryable
  end
  return self.store:set(bytes)
end

for _, name in ipairs { "del", "changed", "try_lock", "unlock", "close", "path", "look" } do
  Keyed[name] = function(self)
    return self.store[name](self.store)
  end
end

local M = {}

---@param options { name: string, dir: string|nil, key: authgear.KeySource }
---@return authgear.KeyedStorage|nil
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
function M.new(options)
  local store, code, message, retryable = file.new { name = options.name, dir = options.dir, sealed = true }
  if not store then
    return nil, code, message, retryable
  end
  return setmetatable({ store = store, source = options.key, name = options.name }, Keyed)
end

return M
