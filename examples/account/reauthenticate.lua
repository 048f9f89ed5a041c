-- Have the user show once more who they are, before something that matters.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

-- The claims of the ID token are of the log-in; this brings them up to date.
assert(authgear.refresh_id_token())
if not authgear.can_reauthenticate() then
  print "this user has nothing to reauthenticate with"
  os.exit(1)
end

local before = authgear.auth_time()
local user, err = authgear.reauthenticate {
  redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
}
if not user then
  print("not now: " .. tostring(err))
  os.exit(1)
end
print("it is " .. user.sub, authgear.auth_time() >= before)

-- Send the ID token to your server if it wants to know: it verifies the signature and looks at auth_time.
print(#authgear.id_token_hint() > 0)
