-- A game that logs its player in and shows the leaderboard. The engine (main.c) calls the function at the end once per frame.
-- The calls of this release block: a real game makes them where waiting is fine, on its title and loading screens.
local authgear = require "authgear"

local function must(value, err)
  return value or error(tostring(err), 0)
end

local scenes = {
  function()
    must(authgear.configure { endpoint = os.getenv "AUTHGEAR_ENDPOINT", client_id = os.getenv "AUTHGEAR_CLIENT_ID" })
    print("title screen: " .. authgear.session_state())
  end,
  function()
    must(authgear.authenticate { redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" } })
    print("logged in: " .. authgear.session_state())
  end,
  function()
    local response = must(authgear.fetch(os.getenv "YOUR_SERVER_URL"))
    print("leaderboard: " .. response.status)
  end,
  function()
    local before = authgear.access_token()
    must(authgear.refresh_access_token())
    print("a new access token: " .. tostring(before ~= authgear.access_token()))
  end,
  function()
    authgear.close()
    print "bye"
  end,
}

local frames = 0

-- One scene every tenth frame. False ends the game.
return function()
  frames = frames + 1
  if frames % 10 ~= 0 then
    return true
  end
  local scene = table.remove(scenes, 1)
  scene()
  return scenes[1] ~= nil
end
