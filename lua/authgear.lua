--- The Authgear SDK for Lua. Every function of a client (authgear/client.lua) is here as well, for
-- the default client. Loading it does nothing but load: no thread, no file, no network.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local runtimes = require "authgear.runtime"

---@class authgear : authgear.Client
local authgear = {}

local default = clients.new()

local Client = clients.Client

-- The two that are called all the time, without the detour.
local refresh_if_needed = Client.refresh_access_token_if_needed

function authgear.access_token()
  return default._access_token
end

function authgear.refresh_access_token_if_needed()
  return refresh_if_needed(default)
end

--- Makes a client of its own and configures it.
---@param options authgear.Options
---@return authgear.Client|nil
---@return authgear.Error|nil err as configure
function authgear.new(options)
  check.options("new", 1, options, runtimes.KNOWN, runtimes.REQUIRED)
  local client = clients.new()
  local ok, err = client:configure(options)
  if not ok then
    return nil, err
  end
  return client
end

-- What is loaded when it is first called, for the reason that stands in client.lua; types.lua says what each takes and gives.
local LATER = {
  verify = "authgear.verify", policy = "authgear.verify", jwks = "authgear.verify", async = "authgear.async",
  doctor = "authgear.doctor", update = "authgear.async", all = "authgear.async", sleep = "authgear.async",
}

-- What a name means that has not been asked for yet: one of those, or a client's function for the default client.
local function find(name)
  if LATER[name] then
    return require(LATER[name])[name]
  elseif type(name) == "string" and name:sub(1, 1) ~= "_" and Client[name] then
    return function(...)
      return Client[name](default, ...)
    end
  end
end

setmetatable(authgear, { __index = function(_, name)
  local found = find(name)
  if found ~= nil then
    authgear[name] = found
  end
  return found
end })

--- pcall across which a task may wait, on every Lua (Lua 5.1's own can't).
---@param fn function
---@param ... any
---@return boolean ok
---@return any ...
function authgear.pcall(fn, ...)
  return require "authgear.protect"(fn, ...)
end

--- assert for what the calls here give, on every Lua: raises the error as a text, with the line. (The one of Lua 5.1 and 5.2
--- takes strings only, and complains of the error object instead of what went wrong.)
---@param value any
---@param err any
---@param ... any
---@return any ... all of them
function authgear.assert(value, err, ...)
  if not value then
    error(err == nil and "assertion failed!" or tostring(err), 2)
  end
  return value, err, ...
end

--- What a task of authgear.async yields when it waits, for schedulers of your own between it and your coroutines.
authgear.pending = core.pending

--- JSON's null in decoded bodies and in what is to be encoded.
authgear.null = core.null

--- Marks a table as an array, so that it is written as [] when it is empty.
---@param list table
---@return table list
function authgear.array(list)
  check.value("array", 1, "list", list, "table")
  return core.array(list)
end

--- Storages to pass as `storage`.
authgear.storage = {}

for _, kind in ipairs { "file", "memory", "system_key" } do
  authgear.storage[kind] = function(...)
    return require("authgear.storage")[kind](...)
  end
end

authgear._VERSION = "0.1.0"

return authgear
