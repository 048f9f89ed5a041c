--- The client: what users call. Each method says what it takes, gives and may answer; the work is
-- done by the modules it names. Must never keep state outside the client.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.lazy" "authgear.driver"
local lazy = require "authgear.lazy"
local runtimes = require "authgear.runtime"

local errors = lazy "authgear.errors"
local fetching = lazy "authgear.fetching"
local login = lazy "authgear.login"
local tasks = lazy "authgear.task"
local unauthorized = lazy "authgear.unauthorized"
local user_info = lazy "authgear.user_info"

---@class authgear.Client
local Client = {}
Client.__index = Client

local function not_configured(self)
  if getmetatable(self) ~= Client then
    check.misuse("a client's functions are called with a colon, as in client:fetch(url)")
  end
  if self._closed then
    return nil, errors.new("closed", "the client is closed")
  end
  return nil, errors.new("not_configured", "call configure first")
end

--- Configures the client, and learns from the storage whether somebody is logged in. No network call.
--- May be called again: the new options replace the old ones, listeners stay.
---@param options authgear.Options
---@return boolean|nil ok
---@return authgear.Error|nil err `invalid_url`, `insecure_url`, `storage`, `storage_damaged`, `storage_version`,
--- `storage_foreign`, `storage_insecure`, `user_code`, `memory`
function Client:configure(options)
  check.options("configure", 1, options, runtimes.KNOWN, runtimes.REQUIRED)
  if self._closed then
    return not_configured(self)
  end
  local runtime, err = runtimes.new(self, options)
  if not runtime then
    return nil, err
  end
  local old = self._runtime
  self._runtime, self._version, self._access_token = runtime, nil, nil
  if old then
    runtimes.close(old)
  end
  if self._configured_listener then
    Client.remove_session_state_listener(self, self._configured_listener)
    self._configured_listener = nil
  end
  if options.on_session_state_change then
    self._configured_listener = options.on_session_state_change
    table.insert(self._listeners, options.on_session_state_change)
  end
  return runtimes.open(runtime)
end

--- What the client knows of its session, without asking anybody: "UNKNOWN" before configure, then "NO_SESSION" or
--- "AUTHENTICATED" from what is stored. A session that was revoked at the server shows at the next call to the server.
---@return "UNKNOWN"|"NO_SESSION"|"AUTHENTICATED"
function Client:session_state()
  local runtime = self._runtime
  return runtime and core.state(runtime.core) or "UNKNOWN"
end

--- Calls fn(client, state, reason) whenever the session state changes, after the change is stored. Reasons: NO_TOKEN,
--- FOUND_TOKEN, AUTHENTICATED, LOGOUT, INVALID, CLEAR. What fn raises, the call that caused the change raises.
---@param fn fun(client: authgear.Client, state: string, reason: string)
---@return fun() remove takes fn off again
function Client:on_session_state_change(fn)
  check.value("on_session_state_change", 1, "listener", fn, "function")
  table.insert(self._listeners, fn)
  return function()
    Client.remove_session_state_listener(self, fn)
  end
end

--- Takes a listener off.
---@param fn function
function Client:remove_session_state_listener(fn)
  check.value("remove_session_state_listener", 1, "listener", fn, "function")
  local kept = {}
  local removed = false
  for _, listener in ipairs(self._listeners) do
    if listener == fn and not removed then
      removed = true
    else
      kept[#kept + 1] = listener
    end
  end
  self._listeners = kept
end

--- The access token as it stands, expired or not; nil when nobody is logged in. Call
--- refresh_access_token_if_needed first. It is a Lua string, which cannot be wiped.
---@return string|nil
function Client:access_token()
  return self._access_token
end

--- "Bearer ..." for the Authorization header (RFC 6750 section 2.1), or nil when nobody is logged in. Call
--- refresh_access_token_if_needed first.
---@return string|nil
function Client:authorization_header()
  local token = self._access_token
  return token and "Bearer " .. token
end

local function refresh(self, refused, demanded)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local flow, err = runtime.refresh(runtime, refused, nil, demanded)
  if not flow then
    return nil, err
  end
  err = runtime.failure(flow)
  if err then
    return nil, err
  end
  return true
end

--- Makes sure that access_token() can be used: asks the server for a new one only if the old one has used up 90 % of
--- its life. Without a session, or when the server ended it, there is no error: access_token() is nil then.
---@return boolean|nil ok
---@return authgear.Error|nil err the session is kept: `network`, `timeout`, `server`, `storage`, `lock_timeout`, ...
function Client:refresh_access_token_if_needed()
  local runtime = self._runtime
  if runtime and not runtime.clock and core.fresh(runtime.core) then
    return true
  end
  return refresh(self, nil)
end

--- Asks the server for a new access token though the old one may still be good (the user's roles have changed, say).
--- About a 401 ask handle_unauthorized, which never asks twice for one token.
---@return boolean|nil ok
---@return authgear.Error|nil err as refresh_access_token_if_needed
function Client:refresh_access_token()
  return refresh(self, self._access_token, true)
end

--- Sends a request with a fresh access token (RFC 6750 section 2.1), which is refreshed first if needed. The token goes
--- to https and loopback URLs only, to `allowed_origins` only if that is set, and never along a redirect to another
--- origin. Answers of any status are responses; see `on_unauthorized` for 401.
---@param url string
---@param init authgear.FetchInit|nil
---@return authgear.Response|nil
---@return authgear.Error|nil err `network`, `dns`, `tls`, `timeout`, `cancelled`, `too_large`, `redirect`,
--- `invalid_url`, `insecure_url`, `session_revoked` (policy "clear"), and those of a refresh
function Client:fetch(url, init)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return fetching.fetch(runtime, url, init)
end

--- Logs a user in with the system's browser (RFC 8252): opens the log-in page, catches the redirect on a loopback port,
--- exchanges the code (PKCE, RFC 7636), checks the ID token, stores the session.
---@param options authgear.AuthenticateOptions
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err `timeout`, `cancelled`, `listener`, `browser`, `oauth` (see `oauth_error`),
--- `callback`, `state_mismatch`, `issuer_mismatch`, `id_token`, `user_mismatch`, `discovery`, `storage`, ...
function Client:authenticate(options)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.authenticate(runtime, options)
end

--- The first half of a log-in, for hosts that show the page themselves: show `url`, and give the URL that the server
--- redirects to to finish_authentication. Several may be under way.
---@param options authgear.AuthorizationOptions redirect_uri is needed
---@return { url: string, state: string, redirect_uri: string }|nil
---@return authgear.Error|nil err `discovery`, `network`, ..., `storage_damaged`
function Client:start_authentication(options)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.start(runtime, options)
end

--- The second half. Each started log-in can be finished once, within an hour.
---@param callback_url string the whole URL that the server redirected to
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err as authenticate; `no_login`: none was started here
function Client:finish_authentication(callback_url)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return login.finish(runtime, callback_url)
end

--- Asks the server who is logged in (OpenID Connect Core section 5.3). Afterwards session_state() is up to date: it is
--- "NO_SESSION" if the session was revoked.
---@return authgear.UserInfo|nil
---@return authgear.Error|nil err `no_session`, `session_revoked`, `user_mismatch`, `network`, ...
function Client:fetch_user_info()
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  local flow, code, message, retryable = core.userinfo_flow(runtime.core)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  local ok, err = driver.run(runtime, flow, { deadline = runtime.now() + runtime.timeout })
  if not ok then
    return nil, err
  end
  return user_info.of(core.userinfo_claims(flow))
end

--- What to do about an answer that another HTTP library got: "retry" with the Authorization header that comes with it,
--- or "return" the answer as it is. A 401 leads to one refresh, unless the token was replaced meanwhile or came from
--- such a refresh itself. If the session turns out to be revoked, the state is NO_SESSION and the word is "return".
---@param options { status: integer, headers: any, access_token: string|nil } access_token: the one that was sent
--- (nil: the present one)
---@return "retry"|"return"|nil action
---@return string|authgear.Error|nil header_or_error
function Client:handle_unauthorized(options)
  if not self._runtime then
    return not_configured(self)
  end
  return unauthorized.handle(self, options)
end

--- Wraps a function that sends requests with another HTTP library. The wrapper takes that function's arguments, calls
--- request(authorization_header, ...) with a fresh token (nil without a session), and once more after a 401 that a
--- refresh can help.
---@param request fun(authorization: string|nil, ...): any
---@param options { status: fun(...): integer|nil }|nil status: finds the HTTP status in what request returns (by
--- default: a table's `status`, `status_code` or `code`, or a number as first or second value)
---@return fun(...): any
function Client:wrap(request, options)
  return unauthorized.wrap(self, request, options)
end

local function finish_session(self, where, options, revoke)
  check.options(where, 1, options, { force = "boolean" })
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return tasks.end_session(runtime, revoke, options and options.force or false)
end

--- Forgets the session on this side only. The server is not told.
---@param options { force: boolean|nil }|nil force: also when the record is damaged or another's, or its lock is held
---@return boolean|nil ok
---@return authgear.Error|nil err `storage`, `storage_damaged`, `storage_foreign`, `lock_timeout`, ...
function Client:clear_session_state(options)
  return finish_session(self, "clear_session_state", options, false)
end

--- Revokes the session at the server (RFC 7009) and forgets it. If the server cannot be reached the session is kept,
--- unless `force` is set.
---@param options { force: boolean|nil }|nil
---@return boolean|nil ok
---@return authgear.Error|nil err
function Client:logout(options)
  return finish_session(self, "logout", options, true)
end

--- Lets go of connections, files and locks; a refresh under way is finished and stored first. The stored session stays.
function Client:close()
  self._closed = true
  local runtime = self._runtime
  self._runtime, self._access_token = nil, nil
  if runtime then
    runtimes.close(runtime)
  end
end

Client.__close = Client.close

local M = { Client = Client }

--- A client that is not configured yet.
---@return authgear.Client
function M.new()
  return setmetatable({ _listeners = {} }, Client)
end

return M
