-- Be told whenever somebody is logged in or no longer is, whichever call it was that found out.
local authgear = require "authgear"

-- Before configure, to hear what that finds. The reasons: NO_TOKEN, FOUND_TOKEN, AUTHENTICATED, LOGOUT, INVALID, CLEAR.
local remove = authgear.on_session_state_change(function(_, state, reason)
  print(state, reason)
end)

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

if authgear.session_state() == "NO_SESSION" then
  assert(authgear.authenticate {
    redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
  })
end

-- If the session was revoked at the server in the meantime, this finds it out, and the listener hears INVALID.
local user, err = authgear.fetch_user_info()
print(user and "it is " .. user.sub or err.code)

remove() -- nobody listens from here on
