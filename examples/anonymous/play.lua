-- A game that lets people play at once. Whoever starts it is the same player each time, without an account; `play.lua
-- sign-up` gives that player one, with everything that was won so far.
local authgear = require "authgear"

assert(authgear.configure {
  endpoint = os.getenv "AUTHGEAR_ENDPOINT",
  client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  storage = "file", -- keeps the session, and the key by which the player comes back
})

if authgear.session_state() ~= "AUTHENTICATED" then
  assert(authgear.authenticate_anonymously())
end

if arg[1] == "sign-up" then
  local player, err = authgear.promote_anonymous_user {
    redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
  }
  if player then
    print("welcome, " .. player.preferred_username)
  elseif err.code == "promotion_conflict" then
    print "that account exists already; you play on without one"
  else
    error(tostring(err))
  end
end

local response = assert(authgear.fetch(os.getenv "YOUR_SERVER_URL"))
print("player " .. assert(response:json()).hello)
