--- A storage of the user's own: a table with functions get, set, del and, where others can change the record, lock, unlock
-- and changed; where others finish log-ins, keep and take. What they raise becomes an error, and what they return is checked.
-- Must never put what they raised into an error's text: it may hold the record.
local protect = require "authgear.protect"

local Custom = {}
Custom.__index = Custom

local function failed(what, why)
  local text = "the storage's " .. what .. " failed"
  if type(why) == "table" and type(why.message) == "string" and type(why.code) == "string" then
    return nil, "storage", text .. " (" .. why.code .. ")", why.retryable
  end
  return nil, "storage", text
end

-- Calls user[what](user, name, ...); ok is false when it raised.
local function call(self, what, ...)
  return protect(self.user[what], self.user, self.name, ...)
end

function Custom:get()
  local ok, text, why = call(self, "get")
  if not ok then
    return nil, "user_code", "the storage's get raised an error"
  elseif text == nil and why ~= nil then
    return failed("get", why)
  elseif text ~= nil and type(text) ~= "string" then
    return nil, "user_code", "the storage's get returned a " .. type(text) .. " instead of a string or nil"
  end
  return text
end

local function change(self, what, ...)
  local ok, done, why = call(self, what, ...)
  if not ok then
    return nil, "user_code", "the storage's " .. what .. " raised an error"
  elseif not done and (done == false or why ~= nil) then
    return failed(what, why)
  end
  return true
end

function Custom:set(bytes)
  return change(self, "set", bytes)
end

function Custom:del()
  return change(self, "del")
end

function Custom:changed()
  if not self.user.changed then
    return false
  end
  local ok, changed = call(self, "changed")
  return not ok or changed ~= false
end

function Custom:try_lock()
  if self.locked then
    return false
  end
  self.locked = true -- until it turns out not to be: who is interrupted meanwhile must find something to unlock
  if self.user.lock then
    local ok, taken, why = call(self, "lock")
    if not ok then
      self:unlock()
      return nil, "user_code", "the storage's lock raised an error"
    elseif not taken then
      self.locked = false
      if why ~= nil then
        return failed("lock", why)
      end
      return false
    end
  end
  return true
end

function Custom:unlock()
  if self.locked then
    if self.user.unlock and not call(self, "unlock") then
      call(self, "unlock") -- it may have been interrupted; an error of its own it will raise again
    end
    self.locked = false
  end
  return true
end

-- These two are there only where the user's table has them: see M.new.

local function keep(self, name, bytes, seconds)
  return change(self, "keep", name, bytes, seconds)
end

local function take(self, name)
  local ok, bytes, why = call(self, "take", name)
  if not ok then
    return nil, "user_code", "the storage's take raised an error"
  elseif bytes == nil and why ~= nil then
    return failed("take", why)
  elseif bytes ~= nil and type(bytes) ~= "string" then
    return nil, "user_code", "the storage's take returned a " .. type(bytes) .. " instead of a string or nil"
  end
  return bytes
end

function Custom:close()
  return self:unlock()
end

local M = {}

local FUNCTIONS = { "get", "set", "del", "lock", "unlock", "changed", "keep", "take" }
local PAIRS = { { "lock", "unlock" }, { "keep", "take" } }
local REQUIRED = { get = true, set = true, del = true }

--- Says what is wrong with a user's storage table, or nil.
---@return string|nil
function M.problem(user)
  for _, name in ipairs(FUNCTIONS) do
    local kind = type(user[name])
    if kind ~= "function" and (REQUIRED[name] or kind ~= "nil") then
      return "a table with a function '" .. name .. "'"
    end
  end
  for _, pair in ipairs(PAIRS) do
    if (user[pair[1]] == nil) ~= (user[pair[2]] == nil) then
      return ("a table with both '%s' and '%s', or neither"):format(pair[1], pair[2])
    end
  end
end

---@param user authgear.Storage
---@param name string
function M.new(user, name)
  local self = { user = user, name = name, kind = "custom", keep = user.keep and keep, take = user.take and take }
  return setmetatable(self, Custom)
end

---@class authgear.Storage a storage of your own; every function gets the table and the client's name
---@field get fun(self, name: string): string|nil, any the record; nil: there is none; nil and anything: it failed
---@field set fun(self, name: string, record: string): boolean|nil, any true once it is durable
---@field del fun(self, name: string): boolean|nil, any true also when there was none
---@field lock nil|fun(self, name: string): boolean|nil, any takes the lock without waiting: true, or false when another
--- has it. Needed where other processes use the same record
---@field unlock nil|fun(self, name: string) gives it back; must do nothing if it is not this table that has it: it is
--- also called when `lock` raised an error or its caller was thrown away meanwhile
---@field changed nil|fun(self, name: string): boolean a cheap look: may the record be another than the one last read?
---@field keep nil|fun(self, name: string, login: string, bytes: string, seconds: number): boolean|nil, any keeps the bytes of a
--- log-in under way by that name of its own (in place of what had it), for so long at most; true: it does. Needed where another
--- process than the one that began a log-in may finish it
---@field take nil|fun(self, name: string, login: string): string|nil, any hands them out and forgets them: to one caller only,
--- however many ask at once; nil: there is none, or no more

return M
