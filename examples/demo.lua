-- The main job as a story. `make demo` runs it in two processes, `demo.lua first` and `demo.lua second`, against the
-- development server, or against yours when AUTHGEAR_ENDPOINT and AUTHGEAR_CLIENT_ID are set.
local authgear = require "authgear"

local part = arg[1] or "first"
local real = os.getenv "DEMO_CONTROL" == nil
local app_url = os.getenv "DEMO_APP_URL"
local data_dir = assert(os.getenv "DEMO_DATA_DIR", "run this with `make demo`")

local step_number = tonumber(os.getenv "DEMO_STEP" or "0")
local function step(text)
  step_number = step_number + 1
  print(("\n%d. %s"):format(step_number, text))
end

local function say(text, ...)
  print("   " .. text:format(...))
end

local function must(value, err)
  if value == nil then
    say("This did not work: %s", tostring(err))
    os.exit(1)
  end
  return value
end

local function configure()
  must(authgear.configure {
    endpoint = must(os.getenv "AUTHGEAR_ENDPOINT", "AUTHGEAR_ENDPOINT is not set"),
    client_id = must(os.getenv "AUTHGEAR_CLIENT_ID", "AUTHGEAR_CLIENT_ID is not set"),
    storage = authgear.storage.file { dir = data_dir },
    on_session_state_change = function(_, state, reason)
      say("(event: session state is now %s, because of %s)", state, reason)
    end,
  })
end

-- Tells the development server to do something, as its portal would.
local function control(path, body)
  local transport = require("authgear.transport.curl").new()
  local response = transport:send {
    method = "POST", url = os.getenv "DEMO_CONTROL" .. path, headers = "Content-Type: application/json\r\n", body = body,
  }
  assert(response and response.status == 200, "the development server did not do " .. path)
end

local function show_fetch()
  local response = must(authgear.fetch(app_url))
  say("GET %s -> %d %s", app_url, response.status, response.status == 200 and "(the server knows who it is)" or "")
  return response
end

local function first()
  step "Configure. No network call is made."
  configure()
  say("session_state() is %s", authgear.session_state())

  step "Log in. The browser opens; the redirect comes back to a port on this machine."
  local user = must(authgear.authenticate {
    redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
  })
  say("logged in as %s", user.sub)

  step "User info."
  user = must(authgear.fetch_user_info())
  say("sub = %s, is_verified = %s", user.sub, tostring(user.is_verified))

  step "Call the application server with fetch."
  show_fetch()

  local before = authgear.access_token()
  if real then
    step "Refresh the access token."
    must(authgear.refresh_access_token())
  else
    step "The access token expires (it lasts 3 seconds here)."
    require("authgear.core").sleep(3.5)
    say "waited 3.5 seconds"
    step "fetch refreshes it by itself."
    show_fetch()
  end
  say("the access token is %s", before ~= authgear.access_token() and "a new one" or "the same (this should not be)")
end

local function second()
  step "The process ended; this is another one. Configure again: still logged in."
  configure()
  say("session_state() is %s", authgear.session_state())
  show_fetch()

  if real then
    step "Log out: the session is revoked at the server and forgotten here."
    must(authgear.logout())
  else
    step "The session is revoked at the server, as an administrator would in the portal."
    control("/revoke", "{}")
    say("nothing has told us yet: session_state() is %s", authgear.session_state())
    step "The next fetch gets 401."
    show_fetch()
  end
  say("session_state() is %s", authgear.session_state())
end

if part == "first" then
  first()
else
  second()
end
