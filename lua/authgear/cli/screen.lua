--- What the command-line tool writes: results to standard output, everything else to standard error, both as text for people
-- or, with --json, as JSON. Must never write an escape sequence to anything but a terminal, and never write on after the
-- reader has gone.
local core = require "authgear.core"

local COLOURS = { ok = "32", warn = "33", fail = "31", bold = "1", faint = "2" }

local M = {}

---@class authgear.cli.Screen
---@field json boolean|nil results are JSON
local Screen = {}
Screen.__index = Screen

--- What write raises when the output cannot be written; main turns it into an exit code.
M.WriteError = {}

local function put(file, text)
  local ok, why = file:write(text)
  if ok then
    ok, why = file:flush()
  end
  if not ok then
    error(setmetatable({ message = tostring(why), broken_pipe = tostring(why):find "[Bb]roken pipe" ~= nil }, M.WriteError), 0)
  end
end

-- The C module, or nil.
local function terminal()
  local loaded, module = pcall(require, "authgear.terminal")
  return loaded and module or nil
end

local function is_terminal(fd)
  local module = terminal()
  return module ~= nil and module.is_terminal(fd)
end

--- Reads standard input: what the person answers, a line, or bytes. Meanwhile Ctrl-C ends the program at once: nothing is under
--- way that must not be lost.
---@param format string|integer|nil as io.read's ("*l")
---@return string|nil
---@return string|nil why
function Screen:read(format)
  local module = terminal()
  if module then
    module.interrupt_ends(true)
  end
  local text, why = self.input:read(format or "*l")
  if module then
    module.interrupt_ends(false)
  end
  return text, why
end

--- A text from elsewhere for the screen: without what could move its cursor or worse.
---@return string
function M.clean(text)
  return (text:gsub("[%z\1-\8\11-\31\127]", "?"))
end

--- Standard output, as it is.
function Screen:write(...)
  put(self.out, table.concat { ... })
end

--- A line of the result.
function Screen:line(...)
  self:write(table.concat { ... }, "\n")
end

--- The result as JSON, on one line.
function Screen:value(value)
  self:line((core.json_encode(value)))
end

--- A line for the person, beside the result. Not with --json.
function Screen:note(...)
  if not self.json then
    put(self.err, table.concat { ... } .. "\n")
  end
end

-- The tool's own codes, which say nothing that the message does not.
local PLAIN = { usage = true, input = true, output = true, http_status = true }

local function words_of(err)
  if getmetatable(err) then
    return tostring(err)
  end
  return PLAIN[err.code] and err.message or err.code .. ": " .. err.message
end

--- What went wrong: on standard error, as text or JSON.
---@param err { code: string, message: string, retryable: boolean|nil }
---@param hint string|nil what to do
function Screen:problem(err, hint)
  if self.json then
    put(self.err, core.json_encode { error = { code = err.code, message = err.message, retryable = err.retryable or false,
      oauth_error = err.oauth_error, status = err.status, hint = hint } } .. "\n")
  else
    put(self.err, "authgear: " .. M.clean(words_of(err)) .. "\n" .. (hint and "  " .. hint .. "\n" or ""))
  end
end

--- A text in a colour, on terminals that have them.
function Screen:coloured(colour, text)
  return self.colours and "\27[" .. COLOURS[colour] .. "m" .. text .. "\27[0m" or text
end

--- Rows of a name and a text, the texts one below the other.
function Screen:rows(rows)
  local widest = 0
  for _, row in ipairs(rows) do
    widest = math.max(widest, #row[1])
  end
  for _, row in ipairs(rows) do
    self:line(row[1], (" "):rep(widest - #row[1] + 2), row[2])
  end
end

---@param streams { input: file*, out: file*, err: file* }
---@return authgear.cli.Screen
function M.new(streams)
  local module = terminal()
  if module then
    module.fill_streams()
  end
  local on_terminal = is_terminal(1)
  return setmetatable({
    input = streams.input, out = streams.out, err = streams.err, is_terminal = on_terminal, is_input_terminal = is_terminal(0),
    colours = on_terminal and (os.getenv "NO_COLOR" or "") == "" and os.getenv "TERM" ~= "dumb",
  }, Screen)
end

return M
