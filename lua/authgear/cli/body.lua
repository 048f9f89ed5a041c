--- Bodies of `authgear fetch`: read from the command line, a file or standard input, written to a file or the screen. Must never
-- send what is not text to a terminal, unless it was asked to.
local core = require "authgear.core"

local NO_SUCH_FILE = 2 -- ENOENT, everywhere

local M = {}

-- What DATA stands for; nil and what is wrong.
local function contents(input, data)
  if data:sub(1, 1) ~= "@" then
    return data
  elseif data == "@-" then
    return input:read "*a" or ""
  end
  local file, why = io.open(data:sub(2), "rb")
  local text = file and file:read "*a"
  if file then
    file:close()
  end
  if not text then
    return nil, "cannot read " .. (why or data:sub(2) .. ": it is no file")
  end
  return text
end

--- The request's body; nil: there is none; nil and what is wrong.
---@return string|nil
---@return string|nil
function M.read(input, data, data_json)
  if data and data_json then
    return nil, "--data and --data-json exclude each other"
  elseif data_json then
    local text, why = contents(input, data_json)
    if text and core.json_decode(text) == nil then
      return nil, "--data-json is no JSON"
    end
    return text, why
  elseif not data then
    return nil
  end
  local parts = {}
  for i, one in ipairs(data) do
    local text, why = contents(input, one)
    if not text then
      return nil, why
    end
    parts[i] = text
  end
  return table.concat(parts, "&")
end

--- A body in a JSON value: as it is if it is text that JSON can hold.
---@return string|nil
function M.printable(text)
  if text and core.json_encode(text) then
    return text
  end
end

---@class authgear.cli.Writer
local Writer = {}
Writer.__index = Writer

--- Writes a piece. True, or nil and why not; `why` keeps it.
function Writer:write(piece)
  if self.path and not self.file then
    -- Renaming a path to itself does nothing, and tells what is there from what is not without opening it (a pipe waits).
    local _, _, number = os.rename(self.path, self.path)
    self.is_new = number == NO_SUCH_FILE
    local file, why = io.open(self.path, "wb")
    if not file then
      self.why = "cannot write " .. tostring(why)
      return nil, self.why
    end
    self.file = file
  end
  if self.file then
    local ok, why = self.file:write(piece)
    self.why = not ok and "cannot write " .. self.path .. ": " .. tostring(why) or nil
    return ok and true, self.why
  elseif self.guards and piece:find "[%z\1-\8\14-\26\28-\31]" then
    self.why = "the body is not text; save it with --output FILE, or show it with --output -"
    return nil, self.why
  end
  self.screen:write(piece)
  self.last = piece ~= "" and piece:sub(-1) or self.last
  return true
end

--- The body is complete. True, or nil and what is wrong.
function Writer:finish()
  local ok, why = true, nil
  if self.path and not self.file then
    ok, why = self:write "" -- an empty body makes an empty file
    if not ok then
      return nil, why
    end
  end
  if self.file then
    ok, why = self.file:close()
    self.file = nil
  elseif self.guards and self.last and self.last ~= "\n" then
    self.screen:write "\n" -- for the prompt that follows
  end
  return ok and true, why and "cannot write " .. self.path .. ": " .. tostring(why)
end

--- The body will not be complete: half a file is none. What was there before (a file, a device) is not ours to remove: a file
--- is left empty.
function Writer:abandon()
  if self.file then
    self.file:close()
    self.file = nil
    if self.is_new then
      os.remove(self.path)
    else
      local emptied = io.open(self.path, "w+b") -- "w" would wait for a pipe's reader
      if emptied then
        emptied:close()
      end
    end
  end
end

---@param screen authgear.cli.Screen
---@param output string|nil a path; "-": standard output; nil: the same, with care for a terminal
---@return authgear.cli.Writer
function M.writer(screen, output)
  return setmetatable({ screen = screen, path = output ~= "-" and output or nil,
    guards = output == nil and screen.is_terminal }, Writer)
end

return M
