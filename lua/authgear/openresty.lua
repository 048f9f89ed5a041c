--- The SDK inside nginx (the Lua module, OpenResty): the functions of `authgear`, which wait as light threads do. See
-- docs/openresty.md. Must never be loaded elsewhere.
if type(rawget(_G, "ngx")) ~= "table" then
  error("authgear.openresty works inside nginx only; elsewhere it is require \"authgear\"", 0)
end

local authgear = require "authgear"
local check = require "authgear.check"
local clients = require "authgear.client"
local host = require "authgear.openresty.host"
local laid = require "authgear.openresty.options"
local storages = require "authgear.storage"

---@class authgear.openresty : authgear
local M = setmetatable({}, { __index = authgear })

local function with_host(where, options)
  if type(options) ~= "table" then
    check.fail(where, 1, "a table expected, got " .. type(options))
  elseif options.host ~= nil then
    check.fail(where, 1, "option 'host' is nginx here")
  end
  return laid.over({ host = host }, options)
end

--- As authgear.configure.
---@param options authgear.Options
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.configure(options)
  return authgear.configure(with_host("configure", options))
end

-- The `configure` of the clients made here: the host stays nginx when they are configured once more.
local function configure_again(client, options)
  return clients.Client.configure(client, with_host("configure", options))
end

--- As authgear.new.
---@param options authgear.Options
---@return authgear.Client|nil
---@return authgear.Error|nil err
function M.new(options)
  local client, err = authgear.new(with_host("new", options))
  if not client then
    return nil, err
  end
  client.configure = configure_again
  return client
end

--- As authgear.doctor. In phases where nothing can wait it finds out what it can without waiting.
---@param options authgear.DoctorOptions
---@return authgear.Finding[] findings
---@return boolean well
function M.doctor(options)
  return authgear.doctor(with_host("doctor", options))
end

local function file_option(value)
  if not storages.is_spec(value) and type(value) ~= "boolean" and (type(value) ~= "string" or value == "") then
    return "true, a directory, or what authgear.storage.file made"
  end
end

local function file_storage(value)
  if not value or storages.is_spec(value) then
    return value
  end
  return storages.file(type(value) == "string" and { dir = value } or nil)
end

--- A storage in a lua_shared_dict, to pass as `storage`: one session for all workers. The dict must be for nothing else.
---@param options { dict: string, file: boolean|string|table|nil, expires: number|nil } dict: its name in nginx.conf. file: a
--- directory (true: the platform's data directory), or what authgear.storage.file made, for a file that is the truth and of which
--- the dict is a cache; without it a restart forgets the session. expires: seconds after which a session is forgotten, counted
--- from its log-in or last refresh (never); not with file
function M.storage(options)
  check.options("storage", 1, options, { dict = "text", file = file_option, expires = "seconds" }, { "dict" })
  local dict, file = options.dict, file_storage(options.file)
  if not ngx.shared[dict] then
    check.fail("storage", 1, ("there is no 'lua_shared_dict %s' in nginx.conf"):format(dict))
  elseif file and options.expires then
    check.fail("storage", 1, "what is in a file does not expire: option 'expires' is for the dict alone")
  end
  local expires = options.expires
  return storages.spec(function(name)
    return require("authgear.openresty.storage").open(dict, file, name, expires)
  end)
end

--- Answers the request by passing it on to an upstream server with the token of a client's session, or of a machine: in
--- content_by_lua. A token that the upstream refuses with 401 is replaced once, and the request sent again; what is still
--- refused goes to the caller as it is. Streams what comes back. What went wrong is answered too (502, 503, 504).
---@param client authgear.Client|authgear.Machine
---@param options authgear.PassOptions
---@return authgear.Response|nil
---@return authgear.Error|nil
function M.pass(client, options)
  if type(client) ~= "table" or type(client.fetch) ~= "function" then
    check.fail("pass", 1, "a client or a machine expected")
  end
  return require("authgear.openresty.pass").pass(client, options)
end

--- Makes a guard for incoming requests: called in access_by_lua it finds out who is calling, and lets nobody else in. See
--- docs/protect.md.
---@param options authgear.ProtectOptions
---@return fun() guard
function M.protect(options)
  return require("authgear.openresty.protect").protect(options)
end

local function not_here(name)
  return function()
    check.misuse("authgear." .. name .. " is for other hosts: in nginx there is ngx.thread.spawn")
  end
end

for _, name in ipairs { "async", "update", "all" } do
  M[name] = not_here(name)
end

--- As ngx.sleep.
M.sleep = host.sleep

return M
