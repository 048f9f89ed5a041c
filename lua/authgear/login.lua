--- Logging in: the two halves, and the whole with a browser and a listener between them.
-- Must never hand the code verifier to anyone: it stays in the core.
local check = require "authgear.check"
local core = require "authgear.core"
local current = require "authgear.current"
local errors = require "authgear.errors"
local kinds = require "authgear.kinds"
local protect = require "authgear.protect"
local tasks = require "authgear.task"
local user_info = require "authgear.user_info"

local DEFAULT_TIMEOUT = 300 -- seconds a person has to log in

local M = {}

---@class authgear.AuthorizationOptions what the server is asked for
---@field redirect_uri string|nil one of the client's registered redirect URIs, to the letter
---@field x_state string|nil a string of yours, passed through to the server
---@field prompt string|nil "login", "none", "consent", "select_account"
---@field login_hint string|nil
---@field ui_locales string|nil e.g. "fr-CA en"
---@field color_scheme "light"|"dark"|nil
---@field page "login"|"signup"|nil
---@field oauth_provider_alias string|nil
---@field authentication_flow_group string|nil

---@class authgear.AuthenticateOptions : authgear.AuthorizationOptions
---@field redirect_uris string[]|nil loopback redirect URIs, tried in turn until one's port is free
---@field ui nil|"browser"|"console"|fun(request: table): string|nil, any how the user gets to the page and the redirect
--- URL comes back; nil: the browser where there is one, else the console
---@field timeout number|nil seconds for the person (300)
---@field cancelled nil|fun(): boolean polled about ten times a second; true gives up

local AUTHORIZATION = {
  redirect_uri = "text", x_state = "text", prompt = "text", login_hint = "text", ui_locales = "text",
  color_scheme = kinds.one_of { "light", "dark" }, page = kinds.one_of { "login", "signup" },
  oauth_provider_alias = "text", authentication_flow_group = "text",
}

-- How the user gets to the page and back: nothing of it is for the server.
local THROUGH_UI = {
  redirect_uris = "texts", ui = kinds.one_of({ "browser", "console" }, true), timeout = "seconds",
  cancelled = "function",
}

--- The kinds of options of a call that goes through the user interface: its own and those of that.
---@param own table<string, string|function>
---@return table<string, string|function>
function M.with_ui(own)
  local known = {}
  for name, kind in pairs(own) do
    known[name] = kind
  end
  for name, kind in pairs(THROUGH_UI) do
    known[name] = kind
  end
  return known
end

local AUTHENTICATE = M.with_ui(AUTHORIZATION)

--- The first half of a request of that kind (see core/login.h); of a page there is no second.
---@param kind "login"|"promotion"|"reauthentication"|"settings"|"page"
---@param options table as core.login_start_flow takes them
---@return { url: string, state: string, redirect_uri: string }|nil
---@return authgear.Error|nil err
function M.begin(runtime, kind, options)
  -- A task: with DPoP it may have to make the key, and takes the lock for that.
  local flow, err = tasks.finish(runtime, {}, core.login_start_flow(runtime.core, kind, options))
  if not flow then
    return nil, err
  end
  local url, state = core.login_url(flow)
  return { url = url, state = state, redirect_uri = options.redirect_uri }
end

--- The second half of one that was begun as that kind.
---@return authgear.UserInfo|true|nil what is known of the user; true: a settings action
---@return authgear.Error|nil err
function M.complete(runtime, kind, callback_url)
  local flow, err = tasks.finish(runtime, {}, core.login_finish_flow(runtime.core, kind, callback_url))
  if not flow then
    return nil, err
  elseif kind == "settings" then
    return true
  end
  return user_info.of(core.login_claims(flow))
end

--- See authgear.Client:start_authentication.
function M.start(runtime, options)
  options = check.options("start_authentication", 1, options, AUTHORIZATION, { "redirect_uri" })
  return M.begin(runtime, "login", options)
end

--- See authgear.Client:finish_authentication.
function M.finish(runtime, callback_url)
  check.value("finish_authentication", 1, "callback URL", callback_url, "text")
  return M.complete(runtime, "login", callback_url)
end

-- Shows the page and waits for the redirect.
local function ask(runtime, attempt, request, options)
  local sleep = tasks.spawner(runtime) and runtime.host.sleep or nil
  local callback_url, code, message, retryable, cause = attempt:run({
    url = request.url, state = request.state, timeout = options.timeout or DEFAULT_TIMEOUT,
    cancelled = function()
      return current.is_cancelled() or (options.cancelled and options.cancelled())
    end, sleep = sleep, now = core.now,
  })
  if callback_url then
    return callback_url
  end
  if core.retryable(code) == nil then -- a word of the user's own
    code = "user_code"
  end
  local err = errors.new(code, core.withhold(runtime.core, message), retryable)
  err.cause = cause
  core.login_cancel(runtime.core, request.state)
  return nil, err
end

local function run(runtime, attempt, kind, options, wanted)
  local authorization = {}
  for name, value in pairs(options) do
    if not THROUGH_UI[name] then
      authorization[name] = value
    end
  end
  for name, value in pairs(wanted or {}) do
    authorization[name] = value
  end
  authorization.redirect_uri, authorization.stays = attempt.redirect_uri, true
  local request, err = M.begin(runtime, kind, authorization)
  if not request then
    return nil, err
  end
  local callback_url
  callback_url, err = ask(runtime, attempt, request, options)
  if not callback_url then
    return nil, err
  elseif runtime.closed then
    return nil, errors.new("closed", "the client was closed")
  end
  return M.complete(runtime, kind, callback_url)
end

--- Both halves, with a user interface between them.
---@param where string the public function
---@param index integer of its options
---@param options table checked: see M.with_ui
---@param wanted table|nil what the request has besides the user's options
---@return authgear.UserInfo|true|nil
---@return authgear.Error|nil err
function M.through_ui(runtime, where, index, kind, options, wanted)
  local uris = options.redirect_uris or (options.redirect_uri and { options.redirect_uri })
  if not uris then
    check.fail(where, index, "option 'redirect_uri' or 'redirect_uris' is missing")
  end
  local ui = require("authgear.ui").choose(options.ui)
  local attempt, code, message, retryable = ui.prepare { redirect_uris = uris }
  if not attempt then
    return nil, errors.new(code, message, retryable)
  end
  local ok, info, err = protect(run, runtime, attempt, kind, options, wanted)
  attempt:close() -- the port is free again, also when a listener for session states has raised
  if not ok then
    error(info, 0)
  end
  return info, err
end

--- See authgear.Client:authenticate.
function M.authenticate(runtime, options)
  options = check.options("authenticate", 1, options, AUTHENTICATE, {})
  return M.through_ui(runtime, "authenticate", 1, "login", options)
end

return M
