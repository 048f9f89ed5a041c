--- The runtime: what `configure` makes of the options; a new one each time. Flows that are under
-- way keep the one they began with.
-- Must never touch the network.
local core = require "authgear.core"
local driver = require "authgear.lazy" "authgear.driver"
local lazy = require "authgear.lazy"

local blocking = lazy "authgear.host.blocking"
local errors = lazy "authgear.errors"
local record = lazy "authgear.record"
local refreshing = lazy "authgear.refreshing"
local tasks = lazy "authgear.task"

local VERSION = "0.1.0"
local DEFAULTS = {
  name = "default", timeout = 60, refresh_timeout = 30, lock_timeout = 60, connect_timeout = 15,
  close_timeout = 5, max_redirects = 10, max_body = 64 * 1024 * 1024, on_unauthorized = "retry",
}

local M = {}

local function storage_problem(value)
  return value ~= "memory" and require("authgear.storage").problem(value) or nil
end

M.KNOWN = {
  endpoint = "text", client_id = "text", client_secret = "text", token_endpoint_auth_method = "auth_method", name = "text",
  storage = storage_problem, scopes = "texts",
  sso_enabled = "boolean", verify_id_token = "boolean", pre_authenticated_url_enabled = "boolean", dpop = "boolean",
  allowed_origins = "texts",
  on_unauthorized = "policy", timeout = "seconds", connect_timeout = "seconds", refresh_timeout = "seconds",
  lock_timeout = "seconds", close_timeout = "seconds", max_connections = "connections", retry = "retry",
  max_body = "count", max_redirects = "few", proxy = "words", no_proxy = "words", ca_file = "text", user_agent = "line",
  allow_insecure_http = "boolean", transport = "transport", host = "host", clock = "clock", json = "function",
  log = "function", on_session_state_change = "function",
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

-- A part before it is first asked for anything: its code is loaded then, and it becomes what `make` gives.
local Unloaded = {}

function Unloaded.__index(part, key)
  local loaded = rawget(part, "make")(part)
  for name in pairs(part) do
    part[name] = nil
  end
  for name, value in pairs(loaded) do
    part[name] = value
  end
  return setmetatable(part, getmetatable(loaded))[key]
end

local function make_curl(part)
  return require("authgear.transport.curl").new(part.options, rawget(part, "loop"), true)
end

local function make_memory(part)
  local memory = require "authgear.storage.memory"
  return memory.new(memory.slots(), part.name)
end

-- The storage, and whether others can change what is in it; else nil, nil, code, message, retryable. Last what keeps log-ins
-- under way, if it is not the core.
local function open_storage(option, name)
  if option == nil or option == "memory" then
    return setmetatable({ make = make_memory, name = name }, Unloaded), false
  end
  local store, code, message, retryable, has_look, logins = require("authgear.storage").open(option, name)
  return store, has_look, code, message, retryable, logins or (store and store.keep and store)
end

local function make_transport(options)
  if options.transport then
    return require("authgear.transport.custom").wrap(options.transport)
  end
  return setmetatable({
    make = make_curl,
    options = { proxy = options.proxy, no_proxy = options.no_proxy, ca_file = options.ca_file,
      max_connections = options.max_connections },
    loop = options.host and options.host.engine and options.host or nil,
  }, Unloaded)
end

local function make_core(options, has_look, keeps_logins)
  local scopes = options.scopes and table.concat(options.scopes, " ")
  return core.client {
    endpoint = options.endpoint, client_id = options.client_id, client_secret = options.client_secret, scopes = scopes,
    token_endpoint_auth_method = options.token_endpoint_auth_method,
    allowed_origins = options.allowed_origins, user_agent = options.user_agent or "authgear-lua/" .. VERSION,
    dpop = options.dpop, sso_enabled = options.sso_enabled, verify_id_token = options.verify_id_token,
    pre_authenticated_url_enabled = options.pre_authenticated_url_enabled,
    allow_insecure_http = options.allow_insecure_http, has_look = has_look, keeps_logins = keeps_logins,
    manual_clock = options.clock ~= nil,
    lock_timeout = options.lock_timeout or DEFAULTS.lock_timeout,
    refresh_timeout = options.refresh_timeout or DEFAULTS.refresh_timeout, retry = options.retry,
  }
end

local function host_of(host)
  if not host or host.engine then
    return host or blocking
  end
  return require "authgear.host.inside"(host)
end

-- The error of a finished flow, or nil.
local function failure(flow)
  if core.want(flow) == core.fx.FAIL then
    return errors.of_flow(flow)
  end
end

-- Has the session refreshed, and says whether it went well.
local function refreshed(runtime, refused, demanded)
  local flow, err = refresh(runtime, refused, nil, demanded)
  err = err or failure(flow)
  if err then
    return nil, err
  end
  return true
end

--- Makes a runtime for a client. Nothing is read yet.
---@return table|nil runtime
---@return authgear.Error|nil err
function M.new(client, options)
  local store, has_look, code, message, retryable, logins = open_storage(options.storage, options.name or DEFAULTS.name)
  if not store then
    return nil, errors.new(code, message, retryable)
  end
  local handle
  handle, code, message, retryable = make_core(options, has_look, logins and true)
  if not handle then
    return nil, errors.new(code, message, retryable)
  end
  local runtime = {
    client = client, core = handle, storage = store, has_look = has_look, logins = logins,
    own_memory = options.storage == nil or options.storage == "memory", storage_option = options.storage,
    transport = make_transport(options),
    host = host_of(options.host), clock = options.clock, log = quiet_log(options.log),
    decode = options.json, refresh = refresh, refreshed = refreshed, end_session = end_session,
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
  local own_memory = runtime.own_memory
  if #runtime.client._listeners > 0 or runtime.log ~= nothing or runtime.clock
      or (not own_memory and runtime.storage.kind == "custom") then
    return driver.run(runtime, flow, {})
  end
  -- The flow wants one LOAD. With a storage of ours, and nobody to be told, that is all: the driver need not be loaded.
  if not own_memory then
    record.load(runtime, flow)
  else
    core.feed_text(flow, nil) -- there is nothing in it yet
  end
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
  for _, machine in pairs(runtime.machines or {}) do
    machine.closed = true
  end
  driver.close_if_idle(runtime)
end

return M
