--- Storages: which there are, and opening the one that was configured.
-- Must never touch the medium while it is only being described.
local check = require "authgear.check"

local M = {}

local Spec = {}
Spec.__index = Spec

--- A file per client name, mode 0600, shared safely by any number of processes.
---@param options { dir: string|nil }|nil dir: where the files go (default: the platform's data directory)
function M.file(options)
  check.options("file", 1, options, { dir = "text" })
  local dir = options and options.dir
  return setmetatable({ open = function(name)
    local storage, code, message, retryable = require("authgear.storage.file").new({ dir = dir, name = name })
    return storage, code, message, retryable, true
  end }, Spec)
end

--- Memory that several clients share. (`storage = "memory"` gives each client its own.)
function M.memory()
  local memory = require "authgear.storage.memory"
  local slots = memory.slots()
  return setmetatable({ open = function(name)
    return memory.new(slots, name), nil, nil, nil, true
  end }, Spec)
end

--- Says what is wrong with a `storage` option, or nil.
---@return string|nil
function M.problem(option)
  if option == nil or option == "memory" or option == "file" or getmetatable(option) == Spec then
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
function M.open(option, name)
  if option == nil or option == "memory" then
    local memory = require "authgear.storage.memory"
    return memory.new(memory.slots(), name), nil, nil, nil, false
  elseif option == "file" then
    return M.file().open(name)
  elseif getmetatable(option) == Spec then
    return option.open(name)
  end
  return require("authgear.storage.custom").new(option, name), nil, nil, nil, option.changed ~= nil
end

return M
