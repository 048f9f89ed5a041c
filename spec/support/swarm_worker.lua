-- One of the processes of spec/support/swarm.lua: fetches until it is told to stop, and writes down what it saw.
-- Must never repair anything: what it sees is what a program of the SDK's users would.
--
-- Usage: swarm_worker.lua ENDPOINT APP CLIENT_ID DIR LOG STOP PAUSE
-- A line of the log: Unix time in milliseconds, then
--   ok | answer STATUS STATE | error CODE | event STATE REASON | stored REFRESH_TOKEN | end STATE

local endpoint, app, client_id, dir, log_path, stop_path, pause = (unpack or table.unpack)(arg, 1, 7)

local core = require "authgear.core"
local file_storage = require "authgear.storage.file"

local log = assert(io.open(log_path, "a"))
log:setvbuf("line")

local function note(...)
  local _, wall = core.now()
  log:write(("%.0f"):format(wall * 1000), " ", table.concat({ ... }, " "), "\n")
end

-- The file storage as it is; only the moment at which a record is stored is written down.
local function watched(options)
  local store, code, message, retryable = require("authgear.file").open(options)
  if not store then
    return nil, code, message, retryable
  end
  local watch = { kind = "file" }
  for _, name in ipairs { "get", "del", "changed", "try_lock", "unlock", "close", "path" } do
    watch[name] = function(_, ...)
      return store[name](store, ...)
    end
  end
  function watch.set(_, record)
    local done, why, text, again = store:set(record)
    if done then
      note("stored", record:match '"refresh_token":"([^"]+)"')
    end
    return done, why, text, again
  end
  return watch
end

file_storage.new = watched

local authgear = require "authgear"
local client = assert(authgear.new {
  endpoint = endpoint, client_id = client_id, storage = authgear.storage.file { dir = dir },
  on_session_state_change = function(_, state, reason)
    note("event", state, reason)
  end,
})

local function stopped()
  local f = io.open(stop_path)
  return f and f:close()
end

while not stopped() do
  local response, err = client:fetch(app .. "/api/hello")
  if not response then
    note("error", err.code)
  elseif response.status == 200 then
    note("ok")
  else
    note("answer", response.status, client:session_state())
  end
  core.sleep(tonumber(pause))
end
note("end", client:session_state())
client:close()
