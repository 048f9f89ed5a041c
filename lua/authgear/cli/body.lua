--- The answer's body of `authgear fetch`: written to a file or the screen. Must never send what is not text to a terminal, unless
-- it was asked to.
local core = require "authgear.core"

local NO_SUCH_FILE = 2 -- ENOENT, everywhere

local M = {}

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
