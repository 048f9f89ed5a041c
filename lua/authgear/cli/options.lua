--- Options and arguments of a command line, read by a list of what there is. Must never guess: what it does not know is an
-- error that says so.

---@class authgear.cli.Option
---@field name string without the dashes
---@field short string|nil one letter
---@field value string|nil what its value is, in capitals; nil: it has none
---@field many boolean|nil may be given several times: its values are a list
---@field words string[]|nil the only values
---@field help string

local M = {}

local function index(known)
  local by_name = {}
  for _, option in ipairs(known) do
    by_name["--" .. option.name] = option
    if option.short then
      by_name["-" .. option.short] = option
    end
  end
  return by_name
end

local function keep(found, option, value, shown)
  if option.words then
    local is_known = false
    for _, word in ipairs(option.words) do
      is_known = is_known or word == value
    end
    if not is_known then
      return nil, shown .. " is one of " .. table.concat(option.words, ", ")
    end
  end
  local key = option.name:gsub("-", "_")
  if option.many then
    found[key] = found[key] or {}
    table.insert(found[key], value)
  else
    found[key] = value
  end
  return true
end

-- One argument that begins with a dash; more short ones may hang on it. The next place, or nil and what is wrong.
local function read_option(by_name, found, args, i)
  local text = args[i]
  local name, value = text:match "^(%-%-[^=]+)=(.*)$"
  name = name or (text:sub(1, 2) == "--" and text) or text:sub(1, 2)
  local option = by_name[name]
  if not option then
    return nil, "there is no option " .. name
  elseif not option.value then
    if value then
      return nil, name .. " takes no value"
    end
    found[option.name:gsub("-", "_")] = true
    if name ~= text then -- -ab: -a, and then -b
      args[i] = "-" .. text:sub(3)
      return i
    end
    return i + 1
  elseif not value and name ~= text then
    value = text:sub(3) -- -Xvalue
  elseif not value then
    i, value = i + 1, args[i + 1]
    if not value then
      return nil, name .. " needs a value: " .. option.value
    end
  end
  local ok, why = keep(found, option, value, name)
  return ok and i + 1, why
end

--- Reads args[first] and on. Options may stand anywhere; after "--" everything is an argument.
---@param known authgear.cli.Option[]
---@param args string[] not changed
---@param first integer
---@param until_word boolean|nil stop before the first argument
---@return table|nil found options by name (with _ for -), values or true
---@return table|string arguments, or what is wrong
---@return integer|nil next where reading stopped
function M.read(known, args, first, until_word)
  local by_name, found, arguments, copy = index(known), {}, {}, {}
  for i = 1, #args do
    copy[i] = args[i]
  end
  local i = first
  while copy[i] do
    if copy[i] == "--" and not until_word then
      for j = i + 1, #copy do
        arguments[#arguments + 1] = copy[j]
      end
      break
    elseif copy[i]:sub(1, 1) == "-" and copy[i] ~= "-" then
      local why
      i, why = read_option(by_name, found, copy, i)
      if not i then
        return nil, why
      end
    elseif until_word then
      break
    else
      arguments[#arguments + 1] = copy[i]
      i = i + 1
    end
  end
  return found, arguments, i
end

return M
