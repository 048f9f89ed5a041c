--- Checks of what users hand in. Wrong use raises, naming the argument and the option (law 7).
-- Must never change or keep the tables it looks at.
local M = {}

-- Where this library's files are, as debug.getinfo says it; nil where that is not known.
local HERE = debug and debug.getinfo(1, "S").source:match("^(.*[/\\])check%.lua$")
local FACE = HERE and HERE:sub(1, -2) .. ".lua"

-- The level, for the function that asks, of the first caller that is not this library: whose mistake it is.
local function level_of_user()
  if not HERE then
    return 0
  end
  local level = 2
  local info = debug.getinfo(level, "S")
  while info and (info.what == "C" or info.what == "tail" or info.source:sub(1, #HERE) == HERE or info.source == FACE) do
    level = level + 1
    info = debug.getinfo(level, "S")
  end
  return level - 1
end

--- Raises as luaL_argerror does, at the line that called the public function.
function M.fail(where, index, message)
  error(("bad argument #%d to '%s' (%s)"):format(index, where, message), level_of_user())
end

--- Raises a message of its own at the line that called the public function.
function M.misuse(message)
  error(message, level_of_user())
end

--- How a name that the user chose is shown: as it is, unless it may be something else in the wrong place.
---@return string
function M.shown(name)
  if type(name) == "string" and #name <= 32 and name:find("^[%a_][%w_%-]*$") then
    return "'" .. name .. "'"
  end
  return type(name) == "string" and "(a string of " .. #name .. " bytes)" or "(a " .. type(name) .. ")"
end

local function finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end

local kinds = {}

function kinds.text(value)
  if type(value) ~= "string" then
    return "a string"
  elseif value == "" then
    return "a string that is not empty"
  elseif value:find("%z") then
    return "a string without embedded zeros"
  end
end

-- A text that becomes part of a line.
function kinds.line(value)
  local expected = kinds.text(value)
  if not expected and value:find("%c") then
    expected = "a string without control characters"
  end
  return expected
end

-- May be empty, which says something.
function kinds.words(value)
  return value ~= "" and kinds.line(value) or nil
end

function kinds.string(value)
  return type(value) ~= "string" and "a string" or nil
end

function kinds.boolean(value)
  return type(value) ~= "boolean" and "a boolean" or nil
end

kinds["function"] = function(value)
  return type(value) ~= "function" and "a function" or nil
end

function kinds.table(value)
  return type(value) ~= "table" and "a table" or nil
end

function kinds.seconds(value)
  if type(value) ~= "number" or not finite(value) or value <= 0 or value > 1e9 then
    return "a number of seconds greater than 0"
  end
end

function kinds.count(value)
  if type(value) ~= "number" or not finite(value) or value < 0 or value ~= math.floor(value) or value > 2 ^ 53 then
    return "a whole number, not negative"
  end
end

function kinds.few(value)
  if kinds.count(value) or value > 100 then
    return "a whole number from 0 to 100"
  end
end

function kinds.texts(value)
  if type(value) ~= "table" or value[1] == nil then
    return "a list of strings"
  end
  for i = 1, #value do
    if kinds.text(value[i]) then
      return "a list of strings"
    end
  end
end

kinds.any = function() end

local function said(value)
  if type(value) == "number" then
    return "number " .. ("%.14g"):format(value)
  end
  return type(value)
end

--- Checks one value. kind: a name from above, or a function(value) -> what was expected, or nil.
function M.value(where, index, name, value, kind)
  local expected = (kinds[kind] or kind)(value)
  if expected then
    M.fail(where, index, ("%s must be %s, got %s"):format(name, expected, said(value)))
  end
end

--- Checks an options table: every key is known and of its kind.
---@param where string the public function
---@param index integer of the argument
---@param options table|nil
---@param known table<string, string|function>
---@param required string[]|nil
function M.options(where, index, options, known, required)
  if options == nil and not required then
    return
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
  for _, key in ipairs(required or {}) do
    if options[key] == nil then
      M.fail(where, index, ("option '%s' is missing"):format(key))
    end
  end
end

--- A kind that takes one of several strings, or also a function.
function M.one_of(list, or_function)
  local set = {}
  for _, name in ipairs(list) do
    set[name] = true
  end
  local expected = '"' .. table.concat(list, '", "') .. '"' .. (or_function and " or a function" or "")
  return function(value)
    if not (set[value] or (or_function and type(value) == "function")) then
      return "one of " .. expected
    end
  end
end

-- The option `on_unauthorized`, of fetch and of configure.
kinds.policy = M.one_of({ "return", "retry", "clear" }, true)

--- A kind that takes either of two.
function M.either(a, b)
  return function(value)
    local expected = (kinds[a] or a)(value)
    local other = expected and (kinds[b] or b)(value)
    if expected and other then
      return expected .. " or " .. other
    end
  end
end

return M
