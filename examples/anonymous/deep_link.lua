-- A player without an account gets one, in a game that shows the page itself and is called with a deep link afterwards.
-- Here whoever runs it is the web view: open the URL that is printed, paste the one that it ends at.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file",
})

if authgear.session_state() ~= "AUTHENTICATED" then
  assert(authgear.authenticate_anonymously())
end

local request = assert(authgear.start_promotion {
  redirect_uri = os.getenv "AUTHGEAR_DEEP_LINK" or "com.example.app://callback",
})
print(request.url)
io.stdout:flush()

local player, err = authgear.finish_promotion(io.read() or "")
if player then
  print("welcome, " .. player.preferred_username)
else
  print("you play on without an account: " .. err.code)
end
