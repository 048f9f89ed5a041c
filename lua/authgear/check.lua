--- Checks of what users hand in. Wrong use raises, naming the argument and the option (law 7).
-- Must never change or keep the tables it looks at.
local lazy = require "authgear.lazy"

local M = {}

-- Read when something is wrong, or of a rarer kind, and not before: see LATER in client.lua.
local misuse = lazy "authgear.misuse"
local kinds = lazy "authgear.kinds"

--- Raises as luaL_argerror does, at the line that called the public function.
function M.fail(where, index, message)
  misuse.raise(("bad argument #%d to '%s' (%s)"):format(index, where, message))
end

--- Raises a message of its own at the line that called the public function.
function M.misuse(message)
  misuse.raise(message)
end

--- How a name that the user chose is shown: as it is, unless it may be something else in the wrong place.
---@return string
function M.shown(name)
  return misuse.shown(name)
end

local TYPES = { string = "a string", boolean = "a boolean", table = "a table", ["function"] = "a function" }

-- What was expected, or nil when the value is of the kind.
local function expected_of(kind, value)
  if kind == "text" and type(value) == "string" and value ~= "" and not value:find("%z") then
    return nil
  elseif TYPES[kind] then
    return type(value) ~= kind and TYPES[kind] or nil
  end
  return (type(kind) == "function" and kind or kinds[kind])(value)
end

--- Checks one value. kind: a name from kinds.lua, a type, or a function(value) -> what was expected, or nil.
function M.value(where, index, name, value, kind)
  local expected = expected_of(kind, value)
  if expected then
    M.fail(where, index, ("%s must be %s, got %s"):format(name, expected, misuse.said(value)))
  end
end

-- All options of a table with a metatable: what pairs does not show is used all the same, so it is checked.
local function inherited(where, index, options, known)
  local all = {}
  for key, kind in pairs(known) do
    local value = options[key]
    if value ~= nil then
      M.value(where, index, "option '" .. key .. "'", value, kind)
      all[key] = value
    end
  end
  return all
end

--- Checks an options table: every key is known and of its kind.
---@param where string the public function
---@param index integer of the argument
---@param options table|nil
---@param known table<string, string|function>
---@param required string[]|nil
---@return table|nil options the same, or a plain copy where some may be inherited (a metatable): for who goes through them
function M.options(where, index, options, known, required)
  if options == nil and not required then
    return nil
  elseif type(options) ~= "table" then
    M.fail(where, index, "a table expected, got " .. type(options))
  end
  for key, value in pairs(options) do
    local kind = type(key) == "string" and known[key]
    if not kind then
      M.fail(where, index, "unknown option " .. M.shown(key))
    end
    M.value(where, index, "option '" .. key .. "'", value, kind)
  end
  if getmetatable(options) ~= nil then
    options = inherited(where, index, options, known)
  end
  for _, key in ipairs(required or {}) do
    if options[key] == nil then
      M.fail(where, index, ("option '%s' is missing"):format(key))
    end
  end
  return options
end

return M
