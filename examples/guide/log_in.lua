-- Log a user in with the system's browser (or by pasting, where there is none).
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

local user, err = authgear.authenticate {
  -- Registered with the server, to the letter. Several can be given; the first whose port is free is used.
  redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
}
if not user then
  print("not logged in: " .. tostring(err))
  os.exit(1)
end
print("logged in as " .. user.sub)
