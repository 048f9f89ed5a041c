-- Handle revoked sessions: the session was ended at the server (in the portal, say), and your application server
-- answers 401.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local function fetch_app_server()
  local response = assert(authgear.fetch(os.getenv "YOUR_SERVER_URL"))
  if response.status == 401 then
    -- fetch has asked the login server by now: if the session was revoked there, the state is NO_SESSION already. If
    -- your server has reasons of its own and you want to clear the session here, call clear_session_state.
    assert(authgear.clear_session_state())
    -- session_state() is "NO_SESSION" after calling it.
    return nil, "user session invalid"
  end
  return response
end

local response, why = fetch_app_server()
print(response and response.status or why)
print(authgear.session_state())
