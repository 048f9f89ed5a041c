--- The client's calls about who the user is, and that it is still them: the ID token, and authenticating once more.
-- Must never keep state outside the client.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local errors = require "authgear.errors"
local kinds = require "authgear.kinds"
local lazy = require "authgear.lazy"

local login = lazy "authgear.login"
local tasks = lazy "authgear.task"

---@class authgear.Client
local Client = clients.Client
local not_configured = clients.not_configured

---@class authgear.ReauthenticationOptions
---@field redirect_uri string|nil one of the client's registered redirect URIs, to the letter
---@field max_age integer|nil how many seconds ago the user may have been authenticated for that to do (0: now)
---@field x_state string|nil a string of yours, passed through to the server
---@field ui_locales string|nil e.g. "fr-CA en"
---@field color_scheme "light"|"dark"|nil
---@field oauth_provider_alias string|nil
---@field authentication_flow_group string|nil

---@class authgear.ReauthenticateOptions : authgear.ReauthenticationOptions
---@field redirect_uris string[]|nil loopback redirect URIs, tried in turn until one's port is free
---@field ui nil|"browser"|"console"|fun(request: table): string|nil, any how the user gets to the page and back: as authenticate
---@field timeout number|nil seconds for the person (300)
---@field cancelled nil|fun(): boolean polled about ten times a second; true gives up

local REAUTHENTICATION = {
  redirect_uri = "text", max_age = "count", x_state = "text", ui_locales = "text", color_scheme = kinds.one_of { "light", "dark" },
  oauth_provider_alias = "text", authentication_flow_group = "text",
}

local function with_max_age(options)
  local all = { max_age = 0 }
  for name, value in pairs(options) do
    all[name] = value
  end
  return all
end

--- Has the user show once more who they are, before something that matters: the browser opens, and what comes back is
--- checked to be of the same user and of now. The session goes on, with a new ID token, whose auth_time the application
--- server may ask for.
---@param options authgear.ReauthenticateOptions
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err `no_session`, `cannot_reauthenticate`, `user_mismatch`, `id_token`, and those of authenticate
function Client:reauthenticate(options)
  options = check.options("reauthenticate", 1, options, login.with_ui(REAUTHENTICATION), {})
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.through_ui(runtime, "reauthenticate", 1, "reauthentication", with_max_age(options))
end

--- The first half of a reauthentication, for hosts that show the page themselves: as start_authentication.
---@param options authgear.ReauthenticationOptions redirect_uri is needed
---@return { url: string, state: string, redirect_uri: string }|nil
---@return authgear.Error|nil err `no_session`, `cannot_reauthenticate`, `discovery`, `network`, ...
function Client:start_reauthentication(options)
  options = check.options("start_reauthentication", 1, options, REAUTHENTICATION, { "redirect_uri" })
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.begin(runtime, "reauthentication", with_max_age(options))
end

--- The second half. Each that was started can be finished once, within an hour.
---@param callback_url string the whole URL that the server redirected to
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err as reauthenticate; `no_login`: none was started here
function Client:finish_reauthentication(callback_url)
  check.value("finish_reauthentication", 1, "callback URL", callback_url, "text")
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.complete(runtime, "reauthentication", callback_url)
end

--- Asks the server for a new ID token, whose claims (can_reauthenticate, roles ...) are of now, and stores it.
---@return boolean|nil ok
---@return authgear.Error|nil err `no_session`, `session_revoked`, `id_token`, `user_mismatch`, `oauth`, `network`, `storage`, ...
function Client:refresh_id_token()
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local flow, code, message, retryable = core.id_token_flow(runtime.core)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  return tasks.run(runtime, flow, { deadline = runtime.now() + runtime.timeout })
end

--- The session's ID token as it stands, to be sent as `id_token_hint`; nil when nobody is logged in. It is for the login
--- server alone: it says who the user is.
---@return string|nil
function Client:id_token_hint()
  local runtime = self._runtime
  return runtime and core.id_token(runtime.core)
end

--- Has the user something to reauthenticate with? As the ID token says; refresh_id_token brings it up to date.
---@return boolean
function Client:can_reauthenticate()
  local runtime = self._runtime
  return runtime ~= nil and (core.id_token_facts(runtime.core))
end

--- When the user was last authenticated, in seconds since 1970 by the server's clock; nil when nobody is logged in.
---@return number|nil
function Client:auth_time()
  local runtime = self._runtime
  return runtime and select(2, core.id_token_facts(runtime.core))
end
