--- The Authgear SDK for Lua. Every function of a client (authgear/client.lua) is here as well, for
-- the default client. Loading it does nothing but load: no thread, no file, no network.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local runtimes = require "authgear.runtime"
local storage = require "authgear.storage"

---@class authgear : authgear.Client
local authgear = {}

local default = clients.new()

for name, method in pairs(clients.Client) do
  if type(method) == "function" and name:sub(1, 2) ~= "__" then
    authgear[name] = function(...)
      return method(default, ...)
    end
  end
end

-- The two that are called all the time, without the detour.
local refresh_if_needed = clients.Client.refresh_access_token_if_needed

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
authgear.storage = { file = storage.file, memory = storage.memory }

authgear._VERSION = "0.1.0"

return authgear
