-- A game that logs its player in and shows a leaderboard from a server of yours, and never misses a frame for it:
--     AUTHGEAR_ENDPOINT=... AUTHGEAR_CLIENT_ID=... YOUR_SERVER_URL=... love examples/love
-- The SDK's modules have to be where LuaJIT looks for modules (LUA_PATH, LUA_CPATH).
--
-- All that is of the SDK stands in this file; screen.lua draws.
local authgear = require "authgear"
local screen = require "screen"

local game = { state = "logged out", scores = {}, fetched = 0, under_way = 0 }

-- Whatever waits does so in a function run by authgear.async, and goes on from authgear.update() below.
local function fetch_scores()
  local response, err = authgear.fetch(os.getenv "YOUR_SERVER_URL") -- the access token goes along, refreshed if need be
  if not response then
    game.message = "no scores: " .. err.code
  elseif not response.ok then
    game.message = "the server says " .. response.status
  else
    game.scores, game.message = response:json().scores, nil
    game.fetched = game.fetched + 1
  end
end

local function keep_fetching()
  while authgear.session_state() == "AUTHENTICATED" do
    fetch_scores()
    authgear.sleep(0.05)
  end
  game.state = "logged out"
end

-- Opens the system's browser; it comes back to the game by itself. (On a phone, or with a deep link, take
-- start_authentication and finish_authentication instead.)
local function log_in()
  game.state, game.message = "logging in", nil
  local player, err = authgear.authenticate {
    redirect_uris = { os.getenv "AUTHGEAR_REDIRECT_URI" or "http://127.0.0.1:8989/callback" },
  }
  if player then
    game.state = "playing"
    authgear.async(keep_fetching)
  else
    game.state, game.message = "logged out", "not logged in: " .. err.code
  end
end

function love.load()
  assert(authgear.configure { -- with storage = "file" the player stays logged in
    endpoint = os.getenv "AUTHGEAR_ENDPOINT",
    client_id = os.getenv "AUTHGEAR_CLIENT_ID",
  })
  screen.load()
end

function love.update(dt)
  local began = love.timer.getTime()
  game.under_way = authgear.update() -- moves everything on; never waits
  screen.note_frame(dt, love.timer.getTime() - began)
end

function love.mousepressed(x, y)
  if game.state == "logged out" and screen.is_on_button(x, y) then
    authgear.async(log_in)
  end
end

function love.draw()
  screen.draw(game)
end

if os.getenv "LEADERBOARD_PICTURE" then
  require "drive"(game) -- plays by itself, takes a picture and leaves
end
