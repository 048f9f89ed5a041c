--- The kinds of values that check.lua can tell, beyond what every start of a program needs: each a function(value) that gives
-- what was expected, or nil when the value is of the kind. Must never raise, nor change what it looks at.
local M = {}

local function finite(value)
  return value == value and value ~= math.huge and value ~= -math.huge
end

function M.text(value)
  if type(value) ~= "string" then
    return "a string"
  elseif value == "" then
    return "a string that is not empty"
  elseif value:find("%z") then
    return "a string without embedded zeros"
  end
end

-- A text that becomes part of a line.
function M.line(value)
  local expected = M.text(value)
  if not expected and value:find("%c") then
    expected = "a string without control characters"
  end
  return expected
end

-- May be empty, which says something.
function M.words(value)
  return value ~= "" and M.line(value) or nil
end

function M.seconds(value)
  if type(value) ~= "number" or not finite(value) or value <= 0 or value > 1e9 then
    return "a number of seconds greater than 0"
  end
end

function M.count(value)
  if type(value) ~= "number" or not finite(value) or value < 0 or value ~= math.floor(value) or value > 2 ^ 53 then
    return "a whole number, not negative"
  end
end

function M.few(value)
  if M.count(value) or value > 100 then
    return "a whole number from 0 to 100"
  end
end

function M.texts(value)
  if type(value) ~= "table" or value[1] == nil then
    return "a list of strings"
  end
  for i = 1, #value do
    if M.text(value[i]) then
      return "a list of strings"
    end
  end
end

function M.connections(value)
  if type(value) ~= "number" or not (value >= 1 and value <= 10000) or value % 1 ~= 0 then
    return "a whole number from 1 to 10000"
  end
end

function M.any() end

local TYPES = { string = "a string", boolean = "a boolean", table = "a table", ["function"] = "a function" }

-- The kind of that name; a type's name is a kind as well.
local function named(kind)
  return M[kind] or TYPES[kind] and function(value)
    return type(value) ~= kind and TYPES[kind] or nil
  end or kind
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

--- A kind that takes the keys of a table.
function M.key_of(set)
  local list = {}
  for name in pairs(set) do
    list[#list + 1] = name
  end
  table.sort(list)
  return M.one_of(list)
end

-- The option `on_unauthorized`, of fetch and of configure.
M.policy = M.one_of({ "return", "retry", "clear" }, true)

M.auth_method = M.one_of { "client_secret_basic", "client_secret_post" }

--- A kind that takes either of two.
function M.either(a, b)
  return function(value)
    local expected = named(a)(value)
    local other = expected and named(b)(value)
    if expected and other then
      return expected .. " or " .. other
    end
  end
end

local function functions(required, optional)
  return function(value)
    if type(value) ~= "table" then
      return "a table"
    end
    for _, name in ipairs(required) do
      if type(value[name]) ~= "function" then
        return "a table with a function '" .. name .. "'"
      end
    end
    for _, name in ipairs(optional or {}) do
      if value[name] ~= nil and type(value[name]) ~= "function" then
        return "a table whose '" .. name .. "' is a function"
      end
    end
  end
end

-- A host that can wait for others' work must be able to run work apart from its caller, and the other way round.
function M.host(value)
  local expected = functions({ "sleep" }, { "spawn", "await" })(value)
  if not expected and (value.spawn == nil) ~= (value.await == nil) then
    expected = "a table with both 'spawn' and 'await', or neither"
  end
  return expected
end

M.transport = M.either(functions { "send" }, "function")
M.clock = functions { "monotonic", "wall" }

local RETRY = { retries = "few", base = "seconds", max = "seconds" }

-- false, or how often and after what pauses: see authgear.RetryOptions.
function M.retry(value)
  if value == false then
    return nil
  elseif type(value) ~= "table" then
    return "false or a table"
  end
  for key, one in pairs(value) do
    local expected = RETRY[key] and M[RETRY[key]](one)
    if not RETRY[key] then
      return "false or a table with 'retries', 'base' and 'max' only"
    elseif expected then
      return "false or a table whose '" .. key .. "' is " .. expected
    end
  end
end

return M
