--- authgear.doctor: looks at everything that a log-in and a fetch depend on, and says in plain words what is wrong and what to
-- do. It works on options, with a runtime of its own that it throws away, so that it can be asked when configure fails.
-- Must never change a session, talk to anybody but the endpoint, or show a secret.
local check = require "authgear.check"
local driver = require "authgear.driver"
local findings = require "authgear.doctor.findings"
local here = require "authgear.doctor.here"
local runtimes = require "authgear.runtime"
local server = require "authgear.doctor.server"
local storage = require "authgear.doctor.storage"

local TIMEOUT = 15 -- seconds for the server, unless the options say otherwise
local ANY_REDIRECT_URI = "http://127.0.0.1:8989/callback" -- nothing is sent there, nor listens there

local M = {}

---@class authgear.DoctorOptions : authgear.Options
---@field redirect_uris string[]|nil as `authenticate` gets them: are their ports free?

local KNOWN = { redirect_uris = "texts" }
for name, kind in pairs(runtimes.KNOWN) do
  KNOWN[name] = kind
end

-- A runtime of the doctor's own: the options without what would make trouble pass for a while, or tell others of it.
local function runtime_of(options, storage_option)
  local own = {}
  for name in pairs(runtimes.KNOWN) do
    own[name] = options[name]
  end
  own.retry, own.on_session_state_change, own.storage = false, nil, storage_option
  own.timeout = options.timeout or TIMEOUT
  return runtimes.new({ _listeners = {} }, own)
end

-- The way to the server is looked at whatever the storage says, and the other way round.
---@return table|nil runtime the server's
local function check_server(list, options)
  local runtime, err = runtime_of(options, nil)
  if not runtime then
    list:fail("configuration", err.message, "Correct 'endpoint'.", err.code)
    return nil
  end
  list:ok("configuration", ("%s at %s"):format(options.client_id, options.endpoint:match "^[^?#]*"))
  server.check(list, runtime, options, (options.redirect_uris or {})[1] or ANY_REDIRECT_URI)
  runtimes.close(runtime)
  return runtime
end

local function check_storage(list, options)
  local runtime, err = runtime_of(options, options.storage)
  if runtime then
    storage.check(list, runtime)
    runtimes.close(runtime)
  else
    list:fail("storage", err.message, "Give a directory in the storage's 'dir', or set HOME.", err.code)
  end
end

--- Looks for what is wrong. Give it what you give to configure, and the redirect_uris of authenticate.
---@param options authgear.DoctorOptions
---@return authgear.Finding[] findings what could not be looked at because of another finding is not among them
---@return boolean well nothing failed
function M.doctor(options)
  check.options("doctor", 1, options, KNOWN, runtimes.REQUIRED)
  local list = findings.new()
  here.versions(list, require("authgear")._VERSION, options.transport ~= nil)
  local runtime = check_server(list, options)
  if runtime then
    check_storage(list, options)
  end
  here.browser(list)
  if not (runtime and driver.refusal(runtime)) then -- it has to wait
    here.loopback(list, (runtime and runtime.host or require "authgear.host.blocking").sleep)
  end
  here.redirect_ports(list, options.redirect_uris)
  local well = list:is_well()
  return setmetatable(list, nil), well
end

return M
