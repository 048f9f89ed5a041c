--- The client: what users call, with client_calls.lua, which has what is not needed at every start. Each method says what
-- it takes, gives and may answer; the work is done by the modules it names. Must never keep state outside the client.
local check = require "authgear.check"
local core = require "authgear.core"
local lazy = require "authgear.lazy"
local runtimes = require "authgear.runtime"

local errors = lazy "authgear.errors"

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

local function refresh(self, refused, demanded)
  local runtime = self._runtime
  if not runtime then
    return not_configured(self)
  end
  return runtime.refreshed(runtime, refused, demanded)
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

-- Compiling is most of what a start costs, so what a program that only asks whether somebody is logged in does not call
-- stands in files of its own, each read when one of its calls is first asked for. They are in Client from then on.
local LATER = {
  client_calls = {
    "authorization_header", "refresh_access_token", "fetch", "authenticate", "start_authentication", "finish_authentication",
    "fetch_user_info", "handle_unauthorized", "wrap", "clear_session_state", "logout", "verify",
  },
  client_resolve = { "resolve" },
  client_machines = { "client_credentials" },
  client_dpop = { "dpop_proof" },
  client_identity = {
    "reauthenticate", "start_reauthentication", "finish_reauthentication", "refresh_id_token", "id_token_hint", "can_reauthenticate",
    "auth_time",
  },
  client_settings = {
    "change_password", "delete_account", "add_email", "add_phone", "add_username", "change_email", "change_phone",
    "change_username", "link_oauth", "unlink_oauth", "start_settings_action", "finish_settings_action",
  },
  client_pages = { "open", "open_url", "make_page_url", "make_pre_authenticated_url", "end_session_url" },
  client_anonymous = { "authenticate_anonymously", "promote_anonymous_user", "start_promotion", "finish_promotion" },
}

local FILE_OF = {}
for file, names in pairs(LATER) do
  for i = 1, #names do
    FILE_OF[names[i]] = file
  end
end

setmetatable(Client, { __index = function(_, name)
  local file = FILE_OF[name]
  if file then
    require("authgear." .. file)
    return rawget(Client, name)
  end
end })

local M = { Client = Client, not_configured = not_configured, refresh = refresh }

--- The names of all calls, those of files that were not read yet included.
---@return string[]
function M.names()
  local names = {}
  for name in pairs(FILE_OF) do
    names[#names + 1] = name
  end
  for name in pairs(Client) do
    if not FILE_OF[name] and name:sub(1, 1) ~= "_" then
      names[#names + 1] = name
    end
  end
  table.sort(names)
  return names
end

--- A client that is not configured yet.
---@return authgear.Client
function M.new()
  return setmetatable({ _listeners = {} }, Client)
end

return M
