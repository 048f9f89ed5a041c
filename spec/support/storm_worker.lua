-- One of several processes that share a session: either it logs out and in again and again, or it fetches, refreshes and
-- asks for user info at random. Prints what a user should never see; must never repair anything.
--
-- Usage: storm_worker.lua ENDPOINT APP CONTROL DIR ROLE SEED STOP

local endpoint, app, control, dir, role, seed, stop_path = (unpack or table.unpack)(arg, 1, 7)

local authgear = require "authgear"
local core = require "authgear.core"
local http = require "spec.support.http"
local json = require "dkjson"

math.randomseed(tonumber(seed))

local client = assert(authgear.new {
  endpoint = endpoint, client_id = "rotating", storage = authgear.storage.file { dir = dir },
  on_session_state_change = function(_, _, reason)
    if reason == "INVALID" or reason == "CLEAR" then
      print("event " .. reason)
    end
  end,
})

local function expect(value, err, ...)
  for _, allowed in ipairs { ... } do
    if err and err.code == allowed then
      return
    end
  end
  if not value then
    print(tostring(err))
  end
end

local function log_out_and_in()
  expect(client:logout())
  local request = assert(client:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" })
  local answer = assert(http.request {
    url = control .. "/visit", body = json.encode { url = request.url }, headers = { ["Content-Type"] = "application/json" },
  })
  expect(client:finish_authentication(json.decode(answer.body).location))
  core.sleep(0.1 * math.random())
end

local calls = {
  function()
    expect(client:fetch(app .. "/api/hello"))
  end,
  function()
    expect(client:refresh_access_token())
  end,
  function()
    expect(client:refresh_access_token_if_needed())
  end,
  function()
    local info, err = client:fetch_user_info()
    expect(info, err, "no_session", "session_revoked")
  end,
}

local function stopped()
  local f = io.open(stop_path)
  return f and f:close()
end

while not stopped() do
  if role == "login" then
    log_out_and_in()
  else
    calls[math.random(#calls)]()
    core.sleep(0.02 * math.random())
  end
end
client:close()
