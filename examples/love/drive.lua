-- Plays the game without a player, for the SDK's tests: clicks on the button, lets the board be fetched for a while, says
-- how the frames went, saves a picture at LEADERBOARD_PICTURE and leaves. Nothing here is needed in a game.
local FRAMES = 240 -- that the board is watched for
local PACE = 1 / 60 -- a display without vertical sync sets none

local function say(game, times)
  table.sort(times)
  print(("fetched %d in %d frames; in update: median %.3f ms, 99%% %.3f ms, longest %.3f ms"):format(game.fetched, #times,
    times[math.ceil(#times / 2)] * 1000, times[math.ceil(#times * 0.99)] * 1000, times[#times] * 1000))
end

local function leave(game, times)
  say(game, times)
  love.graphics.captureScreenshot(function(picture)
    local file = assert(io.open(os.getenv "LEADERBOARD_PICTURE", "wb"))
    file:write(picture:encode("png"):getString())
    file:close()
    love.event.quit(0)
  end)
end

return function(game)
  local update, next_frame, times, clicked, left = love.update, 0, {}, false, false
  function love.update(dt)
    love.timer.sleep(math.max(next_frame - love.timer.getTime(), 0))
    next_frame = love.timer.getTime() + PACE
    local began = love.timer.getTime()
    update(dt)
    if game.state == "playing" then
      times[#times + 1] = love.timer.getTime() - began
    elseif not clicked then
      clicked = true
      love.event.push("mousepressed", 600, 50, 1, false, 1)
    elseif game.message then
      print(game.message)
      love.event.quit(1)
    end
    if #times == FRAMES and not left then
      left = true
      leave(game, times)
    end
  end
end
