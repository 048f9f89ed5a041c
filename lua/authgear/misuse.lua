--- Raising what is the caller's mistake, at the line of the program that made it. check.lua reads this file when there is one.
-- Must never show a value that may be a secret in the wrong place.
local M = {}

-- Where this library's files are, as debug.getinfo says it; nil where that is not known.
local HERE = debug and debug.getinfo(1, "S").source:match("^(.*[/\\])misuse%.lua$")
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

--- Raises, at the line that called the public function.
---@param message string
function M.raise(message)
  error(message, level_of_user())
end

--- See check.shown.
---@return string
function M.shown(name)
  if type(name) == "string" and #name <= 32 and name:find("^[%a_][%w_%-]*$") then
    return "'" .. name .. "'"
  end
  return type(name) == "string" and "(a string of " .. #name .. " bytes)" or "(a " .. type(name) .. ")"
end

--- What somebody handed in, without the value itself unless it is a number.
---@return string
function M.said(value)
  if type(value) == "number" then
    return "number " .. ("%.14g"):format(value)
  end
  return type(value)
end

return M
