--- The runtime: what `configure` makes of the options; a new one each time. Flows that are under
-- way keep the one they began with.
-- Must never touch the network.
local check = require "authgear.check"
local core = require "authgear.core"
local driver = require "authgear.lazy" "authgear.driver"
local lazy = require "authgear.lazy"
local record = require "authgear.record"
local storage = require "authgear.storage"

local errors = lazy "authgear.errors"
local refreshing = lazy "authgear.refreshing"
local tasks = lazy "authgear.task"

local VERSION = "0.1.0"
local DEFAULTS = {
  name = "default", timeout = 60, refresh_timeout = 30, lock_timeout = 60, connect_timeout = 15,
  max_redirects = 10, max_body = 64 * 1024 * 1024, on_unauthorized = "retry",
}

local M = {}

---@class authgear.Options
---@field endpoint string the Authgear endpoint (or another OpenID provider's issuer), https unless it is loopback
---@field client_id string
---@field client_secret string|nil of a confidential client
---@field name string|nil tells this client's stored session from others' ("default")
---@field storage "memory"|"file"|authgear.Storage|nil where the session is kept ("memory")
---@field scopes string[]|nil instead of the usual ones
---@field sso_enabled boolean|nil share the browser's log-in session (false)
---@field pre_authenticated_url_enabled boolean|nil ask for what pre-authenticated URLs need (false)
---@field allowed_origins string[]|nil the only origins that get the access token (any https or loopback URL)
---@field on_unauthorized "return"|"retry"|"clear"|nil|fun(response: authgear.Response): string 401 policy of fetch ("retry")
---@field timeout number|nil seconds for a call (60)
---@field connect_timeout number|nil seconds to connect, within the above (15)
---@field refresh_timeout number|nil seconds for a token request, which no caller's end cuts short (30)
---@field lock_timeout number|nil seconds to wait for another process's refresh (60)
---@field max_body integer|nil bytes of an answer, decompressed (64 MiB)
---@field max_redirects integer|nil at most 100 (10)
---@field proxy string|nil URL; nil: as the environment says; loopback is never proxied
---@field no_proxy string|nil hosts that are reached without it
---@field ca_file string|nil PEM file of the certificates to trust
---@field user_agent string|nil
---@field allow_insecure_http boolean|nil permit http to other hosts than loopback (false)
---@field transport table|function|nil your own HTTP client, see docs/transports.md
---@field host authgear.Host|nil how to wait, see docs/hosts.md
---@field clock { monotonic: fun(): number, wall: fun(): number }|nil your own clocks, seconds
---@field json fun(text: string): any|nil your own decoder for response:json()
---@field log fun(level: string, message: string)|nil told what happens; never a token
---@field on_session_state_change fun(client: authgear.Client, state: string, reason: string)|nil

local function storage_kind(value)
  return storage.problem(value)
end

local function functions(required, optional)
  return function(value)
    if type(value) ~= "table" then
      return "a table"
    end
    for _, name in ipairs(required) do
      if type(value[name]) ~= "function" then
        return "a table with a function '" .. name .. "'"
      end
    end
    for _, name in ipairs(optional or {}) do
      if value[name] ~= nil and type(value[name]) ~= "function" then
        return "a table whose '" .. name .. "' is a function"
      end
    end
  end
end

-- A host that can wait for others' work must be able to run work apart from its caller, and the other way round.
local function host_kind(value)
  local expected = functions({ "sleep" }, { "spawn", "await" })(value)
  if not expected and (value.spawn == nil) ~= (value.await == nil) then
    expected = "a table with both 'spawn' and 'await', or neither"
  end
  return expected
end

M.KNOWN = {
  endpoint = "text", client_id = "text", client_secret = "text", name = "text", storage = storage_kind, scopes = "texts",
  sso_enabled = "boolean", pre_authenticated_url_enabled = "boolean", allowed_origins = "texts",
  on_unauthorized = "policy", timeout = "seconds", connect_timeout = "seconds", refresh_timeout = "seconds",
  lock_timeout = "seconds", max_body = "count", max_redirects = "few", proxy = "words", no_proxy = "words",
  ca_file = "text", user_agent = "line", allow_insecure_http = "boolean",
  transport = check.either(functions({ "send" }), "function"), host = host_kind,
  clock = functions { "monotonic", "wall" }, json = "function", log = "function", on_session_state_change = "function",
}

M.REQUIRED = { "endpoint", "client_id" }

local function nothing() end

-- A log that cannot hurt: what it raises is its own affair.
local function quiet_log(log)
  if not log then
    return nothing
  end
  return function(level, message)
    pcall(log, level, message)
  end
end

local function refresh(...)
  return refreshing.refresh(...)
end

local function end_session(...)
  return tasks.end_session(...)
end

-- The transport on libcurl before it is first asked for anything: its code is loaded then, and it becomes that.
local Unloaded = {}

function Unloaded.__index(transport, key)
  local loaded = require("authgear.transport.curl").new(rawget(transport, "options"))
  for name, value in pairs(loaded) do
    transport[name] = value
  end
  return setmetatable(transport, getmetatable(loaded))[key]
end

local function make_transport(options)
  if options.transport then
    return require("authgear.transport.custom").wrap(options.transport)
  end
  return setmetatable({
    options = { proxy = options.proxy, no_proxy = options.no_proxy, ca_file = options.ca_file },
  }, Unloaded)
end

local function make_core(options, has_look)
  local scopes = options.scopes and table.concat(options.scopes, " ")
  return core.client {
    endpoint = options.endpoint, client_id = options.client_id, client_secret = options.client_secret, scopes = scopes,
    allowed_origins = options.allowed_origins, user_agent = options.user_agent or "authgear-lua/" .. VERSION,
    sso_enabled = options.sso_enabled, pre_authenticated_url_enabled = options.pre_authenticated_url_enabled,
    allow_insecure_http = options.allow_insecure_http, has_look = has_look, manual_clock = options.clock ~= nil,
    lock_timeout = options.lock_timeout or DEFAULTS.lock_timeout,
  }
end

--- The error of a finished flow, or nil.
local function failure(flow)
  if core.want(flow) == core.fx.FAIL then
    return errors.of_flow(flow)
  end
end

--- Makes a runtime for a client. Nothing is read yet.
---@return table|nil runtime
---@return authgear.Error|nil err
function M.new(client, options)
  local store, code, message, retryable, has_look = storage.open(options.storage, options.name or DEFAULTS.name)
  if not store then
    return nil, errors.new(code, message, retryable)
  end
  local handle
  handle, code, message, retryable = make_core(options, has_look)
  if not handle then
    return nil, errors.new(code, message, retryable)
  end
  local runtime = {
    client = client, core = handle, storage = store, has_look = has_look, transport = make_transport(options),
    host = options.host or require "authgear.host.blocking", clock = options.clock, log = quiet_log(options.log),
    decode = options.json, refresh = refresh, end_session = end_session, failure = failure,
    now = options.clock and options.clock.monotonic or core.now,
    runs = setmetatable({}, { __mode = "k" }), -- the flows under way, as long as their coroutines live
    lock = setmetatable({}, { __mode = "v" }), lock_taken = false, -- who holds the storage's lock: see driver.lua
    refreshing = setmetatable({}, { __mode = "v" }), due = {}, accesses = 0, adopted = 0,
  }
  for name, value in pairs(DEFAULTS) do
    if options[name] == nil then
      runtime[name] = value
    else
      runtime[name] = options[name]
    end
  end
  return runtime
end

--- Learns what is stored. Called once, by configure.
function M.open(runtime)
  local flow, code, message, retryable = core.open_flow(runtime.core)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  if runtime.storage.kind == "custom" or #runtime.client._listeners > 0 or runtime.log ~= nothing or runtime.clock then
    return driver.run(runtime, flow, {})
  end
  -- The flow wants one LOAD. With a storage of ours, and nobody to be told, that is all: the driver need not be loaded.
  record.load(runtime, flow)
  while core.take_event(runtime.core) do end
  local err = failure(flow)
  if err then
    return nil, err
  end
  return true
end

--- Lets go of what the runtime holds, once what is under way is over. A refresh under way goes on to its end and
--- is stored.
function M.close(runtime)
  runtime.closed = true
  driver.close_if_idle(runtime)
end

return M
