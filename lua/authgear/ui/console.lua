--- Login where there is no browser (SSH, a console): the URL is printed, and what the browser elsewhere
-- was redirected to is pasted back. The one file of the library that prints. Must never print what was pasted.
local protect = require "authgear.protect"

local TRIES = 3

local M = {}

---@class authgear.ui.ConsoleAttempt: authgear.ui.Attempt
local Attempt = {}
Attempt.__index = Attempt

---@class authgear.ui.ConsoleOptions
---@field redirect_uris string[] the first is used; nothing listens there
---@field input nil|{ read: fun(self, format: string): string|nil } where lines come from (io.stdin)
---@field output nil|{ write: fun(self, text: string) } where is printed to (io.stderr)

---@param options authgear.ui.ConsoleOptions
---@return authgear.ui.ConsoleAttempt|nil attempt
---@return string|nil code "listener": there is no redirect URI
---@return string|nil message
function M.prepare(options)
  local redirect_uri = options.redirect_uris[1]
  if not redirect_uri then
    return nil, "listener", "no redirect URI was given", false
  end
  return setmetatable({ redirect_uri = redirect_uri, input = options.input, output = options.output }, Attempt)
end

-- The address in what was pasted, without what mail programs, shells and people put around it.
local function strip(line)
  local text = line:gsub("^[%s%c]+", ""):gsub("[%s%c]+$", "")
  return text:match("^<(.*)>$") or text:match('^"(.*)"$') or text:match("^'(.*)'$") or text
end

-- Is text the redirect URI, with any query? What stands in the query is for the protocol to check.
local function is_redirect(text, redirect_uri)
  local base = redirect_uri:match("^[^?#]*")
  local rest = text:sub(#base + 1)
  if text:sub(1, #base) ~= base or text:find("[%s%c]") then
    return false
  elseif base:find("^%a+://[^/]*$") and rest:sub(1, 1) == "/" then
    rest = rest:sub(2) -- browsers write the path that the registered URI leaves out
  end
  return rest:find("^%?") ~= nil, base .. rest
end

local function was_cancelled(request)
  if not request.cancelled then
    return false
  end
  local ok, cancelled = protect(request.cancelled)
  if not ok then
    return nil, "user_code", "the function 'cancelled' raised an error", false, cancelled
  elseif cancelled then
    return nil, "cancelled", "the login was cancelled", false
  end
  return false
end

local function ask(input, output, redirect_uri)
  for try = 1, TRIES do
    output:write("> ")
    if output.flush then
      output:flush()
    end
    local line = input:read("*l")
    local text = line and strip(line) or ""
    if text == "" then
      return nil, "cancelled", "no address was pasted", false
    end
    local is, url = is_redirect(text, redirect_uri)
    if is then
      return url
    end
    output:write("That is not the address the browser ends at. It starts with\n  ", redirect_uri:match("^[^?#]*"), "?\n")
    if try < TRIES then
      output:write("Paste it as a whole, or press Enter to give up.\n")
    end
  end
  return nil, "callback", "what was pasted is not the redirect URI with a query", false
end

--- Prints the URL and waits for a line: what the browser was redirected to. Reading blocks; `timeout`, `sleep`, `now` and
--- `open` of the request are not looked at. An empty line or the end of the input gives up.
---@param request authgear.ui.Request
---@return string|nil url
---@return string|nil code "cancelled", "callback": three times something else was pasted, "user_code"
---@return string|nil message
---@return boolean|nil retryable
---@return any cause
function Attempt:run(request)
  local input, output = self.input or io.stdin, self.output or io.stderr
  local cancelled, code, message, retryable, cause = was_cancelled(request)
  if cancelled == nil then
    return nil, code, message, retryable, cause
  end
  output:write("To log in, open this address in a browser, then paste the address it ends at here"
    .. " (the page itself may fail to load):\n\n  ", request.url, "\n\n")
  return ask(input, output, self.redirect_uri)
end

function Attempt.close()
end

--- Prints the URL of a page from which nothing comes back.
---@param url string
---@return true
function M.show(url)
  io.stderr:write("Open this address in a browser:\n\n  ", url, "\n\n")
  return true
end

return M
