-- Get the latest session state. Right after configure it is what this side knows; whether the session still lives at
-- the server shows after a call to the server.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

-- After configure, it only reflects the local state.
print("before: " .. authgear.session_state())

if authgear.session_state() == "AUTHENTICATED" then
  local user, err = authgear.fetch_user_info()
  if user then
    -- The session state is now up to date. Read the user info if you need it.
    print("user: " .. user.sub)
  else
    -- The session state is now up to date: "NO_SESSION" if the session is invalid. If there was no network
    -- (err.retryable), nothing is known, and it stays as it was.
    print("error: " .. err.code)
  end
end

print("after: " .. authgear.session_state())
