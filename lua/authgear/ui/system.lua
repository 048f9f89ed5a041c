--- Login in the system's browser (RFC 8252): the redirect comes back to a listener on loopback.
-- Must never print, nor listen before it is asked to.
local core = require "authgear.core"
local loopback = require "authgear.loopback"
local protect = require "authgear.protect"

local STEP = 0.1 -- seconds between two looks at `cancelled`
local TIMEOUT = 300

local HOSTS = { ["127.0.0.1"] = true, ["::1"] = true, ["localhost"] = true }

local M = {}

---@class authgear.ui.Attempt one login's user interface, from before the URL is made to the end
---@field redirect_uri string the registered URI that this login has to use
---@field run fun(self, request: authgear.ui.Request): string|nil, string|nil, string|nil, boolean|nil, any
---@field close fun(self)
local Attempt = {}
Attempt.__index = Attempt

---@class authgear.ui.Request
---@field url string where the user logs in
---@field state string the `state` in that URL
---@field timeout number|nil seconds (300)
---@field cancelled nil|fun(): boolean asked about ten times a second
---@field sleep nil|fun(seconds: number) lets others run; nil: this thread waits
---@field now nil|fun(): number seconds, never set back
---@field open nil|fun(url: string): any, string|nil opens the browser instead of us; false or nil and a reason: it failed

--- Where a registered URI would be listened for: host, port, path; nil: it is no such URI.
local function place(uri)
  local scheme, host, port, path, is_loopback = core.url(uri)
  if scheme ~= "http" or not is_loopback or not HOSTS[host:lower()] then
    return nil
  end
  return host:lower(), port, path
end

local function none_free(tried)
  if #tried == 0 then
    return nil, "listener",
      "none of the redirect URIs is an http URI at 127.0.0.1, [::1] or localhost with a port", false
  end
  return nil, "listener", "no redirect URI's port can be listened on: " .. table.concat(tried, "; "), false
end

--- Listens at the first of the registered redirect URIs whose port is free. Others than http on loopback are passed over.
---@param options { redirect_uris: string[] }
---@return authgear.ui.Attempt|nil attempt
---@return string|nil code "listener": no port is free; "memory"
---@return string|nil message
function M.prepare(options)
  local tried = {}
  for _, uri in ipairs(options.redirect_uris) do
    local host, port, path = place(uri)
    if host then
      local listener, code, message, retryable = loopback.listen { host = host, port = port, path = path }
      if listener then
        return setmetatable({ redirect_uri = uri, listener = listener }, Attempt)
      elseif code ~= "listener" then
        return nil, code, message, retryable
      end
      tried[#tried + 1] = message
    end
  end
  return none_free(tried)
end

local function open_failed(message)
  return nil, "browser", message .. '; without a browser, use ui = "console"', false
end

local function open(request)
  if not request.open then
    local opened, code, message, retryable = loopback.open_browser(request.url)
    if opened then
      return true
    elseif code ~= "browser" then
      return nil, code, message, retryable
    end
    return open_failed(message)
  end
  local ok, opened, why = protect(request.open, request.url)
  if not ok then
    return nil, "user_code", "the function that opens the browser raised an error", false, opened
  elseif opened == false or (opened == nil and why ~= nil) then
    return open_failed("the program's own function could not open the browser")
  end
  return true
end

-- true: go on
local function may_go_on(request, now, deadline)
  if request.cancelled then
    local ok, cancelled = protect(request.cancelled)
    if not ok then
      return nil, "user_code", "the function 'cancelled' raised an error", false, cancelled
    elseif cancelled then
      return nil, "cancelled", "the login was cancelled", false
    end
  end
  if now() >= deadline then
    return nil, "timeout", "the browser did not come back in time", true
  end
  return true
end

-- Waits one step: the redirect's target, or nil, or nil and an error. `rest`: seconds to the deadline.
local function wait(listener, request, rest)
  local step = math.min(STEP, math.max(rest, 0))
  if not request.sleep then
    return listener:poll(step)
  end
  local target, code, message, retryable = listener:poll(0)
  if target or code then
    return target, code, message, retryable
  end
  request.sleep(step)
  return listener:poll(0)
end

-- What arrived has the path that was asked for; the rest is as registered, to the letter.
local function callback_url(redirect_uri, target)
  return redirect_uri:match("^[^?#]*") .. target:match("^[^?#]*(.*)$")
end

--- Opens the browser and waits for the redirect.
---@param request authgear.ui.Request
---@return string|nil url the redirect URI with the query it was called with
---@return string|nil code "timeout", "cancelled", "listener", "browser", "invalid_url", "user_code"
---@return string|nil message
---@return boolean|nil retryable
---@return any cause what a function of the user's raised
function Attempt:run(request)
  local now = request.now or core.now
  local deadline = now() + (request.timeout or TIMEOUT)
  local go_on, code, message, retryable, cause = self.listener:expect(request.state)
  if go_on then
    go_on, code, message, retryable, cause = may_go_on(request, now, deadline)
  end
  if go_on then
    go_on, code, message, retryable, cause = open(request)
  end
  while go_on do
    local target
    target, code, message, retryable = wait(self.listener, request, deadline - now())
    if target then
      return callback_url(self.redirect_uri, target)
    elseif code then
      break
    end
    go_on, code, message, retryable, cause = may_go_on(request, now, deadline)
  end
  return nil, code, message, retryable, cause
end

--- Opens the browser with a page from which nothing comes back.
---@param url string
---@return true|nil shown
---@return string|nil code "browser", "memory"
---@return string|nil message
function M.show(url)
  local opened, code, message = loopback.open_browser(url)
  if opened then
    return true
  elseif code == "browser" then
    return open_failed(message)
  end
  return nil, code, message
end

--- Ends it: the port is free again. Any number of times.
function Attempt:close()
  self.listener:close()
end

return M
