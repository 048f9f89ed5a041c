--- The client's calls that are not needed at every start of a program: fetching, logging in and out, user info, 401 for other
-- HTTP libraries. client.lua reads this file with the first of them; LATER there lists them.
-- Must never keep state outside the client.
local check = require "authgear.check"
local clients = require "authgear.client"
local core = require "authgear.core"
local driver = require "authgear.driver"
local lazy = require "authgear.lazy"

local fetching = lazy "authgear.fetching"
local login = lazy "authgear.login"
local tasks = lazy "authgear.task"
local unauthorized = lazy "authgear.unauthorized"
local user_info = lazy "authgear.user_info"
local verifying = lazy "authgear.verify"

---@class authgear.Client
local Client = clients.Client
local not_configured, refresh = clients.not_configured, clients.refresh

--- "Bearer ..." for the Authorization header (RFC 6750 section 2.1), or nil when nobody is logged in. Call
--- refresh_access_token_if_needed first. Where the server binds access tokens it is "DPoP ...": see dpop_proof.
---@return string|nil
function Client:authorization_header()
  local token = self._access_token
  return token and core.token_type(self._runtime.core) .. " " .. token
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
  local flow, err = driver.finish(runtime, { deadline = runtime.now() + runtime.timeout }, core.userinfo_flow(runtime.core))
  if not flow then
    return nil, err
  end
  return user_info.of(core.userinfo_claims(flow))
end

--- Verifies an access token that somebody else has sent, with the keys of this client's endpoint: they are fetched when
--- they are first needed, and kept. See docs/verify.md.
---@param token string
---@param policy authgear.Policy|authgear.CompiledPolicy|nil without `jwks`; `issuer` is the endpoint's by default
---@return authgear.Claims|nil
---@return authgear.Error|nil err as authgear.verify, and those of fetching the keys: `network`, `discovery`, `jwks`, ...
function Client:verify(token, policy)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return verifying.with_client(runtime, token, policy)
end

--- What to do about an answer that another HTTP library got: "retry" with the Authorization header that comes with it,
--- or "return" the answer as it is. A 401 leads to one refresh, unless the token was replaced meanwhile or came from
--- such a refresh itself. If the session turns out to be revoked, the state is NO_SESSION and the word is "return".
---@param options { status: integer, headers: any, access_token: string|nil, url: string|nil } access_token: the one that was
--- sent (nil: the present one); url and headers: so that a bound token's nonces are known (docs/dpop.md)
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
---@param options { status: nil|fun(...): integer|nil, target: nil|fun(...): string, string, headers: nil|fun(...): any }|nil status:
--- finds the HTTP status in what request returns (by default: a table's `status`, `status_code` or `code`, or a number as first
--- or second value); target: method and URL of the wrapper's arguments. With it request is called with the Authorization header,
--- a DPoP proof (nil where none is needed), and the arguments; headers: finds those of the answer (by default: a table's
--- `headers`, or a table as third value)
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
