--- Which user interface a login has: the system's browser, the console, or the user's own.
-- Must never load one that is not used.
local protect = require "authgear.protect"

local M = {}

-- What the user's function gave up with, as code, message, retryable, cause.
local function given_up(err)
  if err == nil then
    return nil, "cancelled", "the ui function gave no redirect URL", false
  elseif type(err) == "table" and type(err.code) == "string" then
    local message = type(err.message) == "string" and err.message or "the ui function failed"
    return nil, err.code, message, err.retryable == true, err.cause
  end
  return nil, "user_code", "the ui function failed", false, err
end

local Own = {}
Own.__index = Own

function Own:run(request)
  local ok, url, err = protect(self.fn, {
    url = request.url, redirect_uri = self.redirect_uri, state = request.state, cancelled = request.cancelled,
    timeout = request.timeout,
  })
  if not ok then
    return nil, "user_code", "the ui function raised an error", false, url
  elseif type(url) == "string" then
    return url
  elseif url == nil or url == false then
    return given_up(err)
  end
  return nil, "user_code", "the ui function returned a " .. type(url) .. " instead of the redirect URL", false
end

function Own.close()
end

local function own(fn)
  return {
    prepare = function(options)
      local redirect_uri = options.redirect_uris[1]
      if not redirect_uri then
        return nil, "listener", "no redirect URI was given", false
      end
      return setmetatable({ fn = fn, redirect_uri = redirect_uri }, Own)
    end,
  }
end

---@class authgear.ui.OwnRequest what the user's function gets
---@field url string where the user logs in
---@field redirect_uri string where the browser is sent afterwards: the function returns that URL, query and all
---@field state string
---@field cancelled nil|fun(): boolean
---@field timeout number|nil seconds

---@alias authgear.ui.Option
---| nil # the browser where there is one, else the console
---| "browser" # the system's, and a listener on loopback (RFC 8252 section 7.3)
---| "console" # the URL is printed, and the redirect URL pasted back
---| fun(request: authgear.ui.OwnRequest): string|nil, any
---| { prepare: fun(options: { redirect_uris: string[] }): authgear.ui.Attempt|nil, string|nil, string|nil }

--- The user interface that `option` means: a table with prepare{ redirect_uris = {...} }. Raises when it means none.
---@param option authgear.ui.Option
---@return { prepare: fun(options: table): authgear.ui.Attempt|nil, string|nil, string|nil }
function M.choose(option)
  if option == nil then
    option = require("authgear.loopback").has_browser() and "browser" or "console"
  end
  if option == "browser" then
    return require "authgear.ui.system"
  elseif option == "console" then
    return require "authgear.ui.console"
  elseif type(option) == "function" then
    return own(option)
  elseif type(option) == "table" and type(option.prepare) == "function" then
    return option
  end
  error('ui: nil, "browser", "console", a function, or a table with prepare expected, not '
    .. (type(option) == "string" and ("%q"):format(option:sub(1, 40)) or "a " .. type(option)), 2)
end

-- A function of the user's that shows a page: it need not give anything back.
local function show_own(fn, url)
  local ok, shown, why = protect(fn, { url = url })
  if not ok then
    return nil, "user_code", "the ui function raised an error", shown
  elseif shown == false or (shown == nil and why ~= nil) then
    return nil, "user_code", "the ui function could not show the page", why
  end
  return true
end

--- Shows a page from which nothing comes back.
---@param option nil|"browser"|"console"|fun(request: { url: string }): any, any
---@param url string
---@return true|nil shown
---@return string|nil code "browser", "user_code", "memory"
---@return string|nil message
---@return any cause
function M.show(option, url)
  if type(option) == "function" then
    return show_own(option, url)
  end
  return M.choose(option).show(url)
end

return M
