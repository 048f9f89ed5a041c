--- Storages: which there are, and opening the one that was configured.
-- Must never touch the medium while it is only being described.
local check = require "authgear.check"

local LONGEST_LOGINS = 60 -- bytes of a name beside whose file there is room for that of its log-ins, whatever its letters

local M = {}

local Spec = {}
Spec.__index = Spec

-- What a file is encrypted with: the key, or where it comes from.
local function key_problem(value)
  if type(value) == "string" and #value == 32 or type(value) == "table" and type(value.get) == "function" then
    return nil
  end
  return "a string of 32 random bytes, or a table with a function 'get'"
end

--- What can be handed in as `storage`.
---@param open fun(name: string): table|nil, string|nil, string|nil, boolean|nil, boolean|nil, table|nil see M.open
function M.spec(open)
  return setmetatable({ open = open }, Spec)
end

--- Was it made by spec?
function M.is_spec(value)
  return getmetatable(value) == Spec
end

-- Log-ins under way, in a file beside the record's; the code is loaded with the first.
local function logins_beside(storage, name)
  local function call(what)
    return function(_, ...)
      local dir = storage:path():match "^(.+)[/\\]" or "/"
      return require("authgear.storage.logins")[what](dir, name, ...)
    end
  end
  return #name <= LONGEST_LOGINS and { keep = call "keep", take = call "take" } or nil
end

--- A file per client name, mode 0600, shared safely by any number of processes.
---@param options authgear.FileOptions|nil
function M.file(options)
  check.options("file", 1, options, { dir = "text", key = key_problem })
  local dir, key = options and options.dir, options and options.key
  return M.spec(function(name)
    local module = type(key) == "table" and "authgear.storage.keyed" or "authgear.storage.file"
    local ok, storage, code, message, retryable = pcall(require(module).new, { dir = dir, name = name, key = key })
    if not ok and tostring(storage):find("name: is too long", 1, true) then
      check.fail("configure", 1, "option 'name' is too long for a file's name: at most 200 bytes, percent-encoded")
    elseif not ok then
      error(storage, 0)
    end
    return storage, code, message, retryable, true, storage and logins_beside(storage, name)
  end)
end

--- A key for encrypted files that the system's secret store keeps: see docs/storage.md.
---@param options authgear.SystemKeyOptions|nil
---@return authgear.SystemKey
function M.system_key(options)
  check.options("system_key", 1, options, { service = "text", timeout = "seconds" })
  return require("authgear.storage.system_key").new(options or {})
end

--- Memory that several clients share. (`storage = "memory"` gives each client its own.)
function M.memory()
  local memory = require "authgear.storage.memory"
  local slots = memory.slots()
  return M.spec(function(name)
    return memory.new(slots, name), nil, nil, nil, true
  end)
end

--- Says what is wrong with a `storage` option, or nil.
---@return string|nil
function M.problem(option)
  if option == nil or option == "memory" or option == "file" or M.is_spec(option) then
    return nil
  elseif type(option) ~= "table" then
    return '"memory", "file" or a table'
  end
  return require("authgear.storage.custom").problem(option)
end

--- Opens a storage for one client.
---@return table|nil storage
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
---@return boolean|nil has_look can others change the record?
---@return table|nil logins what keeps log-ins under way; nil: the storage does, if it has `keep` and `take`
function M.open(option, name)
  if option == nil or option == "memory" then
    local memory = require "authgear.storage.memory"
    return memory.new(memory.slots(), name), nil, nil, nil, false
  elseif option == "file" then
    return M.file().open(name)
  elseif M.is_spec(option) then
    return option.open(name)
  end
  return require("authgear.storage.custom").new(option, name), nil, nil, nil, option.changed ~= nil
end

return M
