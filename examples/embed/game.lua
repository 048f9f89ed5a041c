-- A game that logs its player in and shows the leaderboard. The engine (main.c) calls the function at the end once per frame.
-- The story runs in a task (docs/async.md): whatever it waits for, the frames go on.
local authgear = require "authgear"

local function must(value, err)
  return value or error(tostring(err), 0)
end

local game = authgear.async(function()
  must(authgear.configure { endpoint = os.getenv "AUTHGEAR_ENDPOINT", client_id = os.getenv "AUTHGEAR_CLIENT_ID" })
  print("title screen: " .. authgear.session_state())

  must(authgear.authenticate { redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" } })
  print("logged in: " .. authgear.session_state())

  local response = must(authgear.fetch(os.getenv "YOUR_SERVER_URL"))
  print("leaderboard: " .. response.status)

  local before = authgear.access_token()
  must(authgear.refresh_access_token())
  print("a new access token: " .. tostring(before ~= authgear.access_token()))

  authgear.close()
  print "bye"
  return true
end)

-- False ends the game.
return function()
  authgear.update()
  local over, err = game:result()
  if not over and err.code ~= "pending" then
    error(tostring(err.cause or err), 0)
  end
  return not over
end
