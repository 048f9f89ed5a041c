-- Draws the leaderboard and, below it, how long each frame took. Knows nothing of the SDK.
local screen = {}

local BUTTON = { x = 560, y = 32, w = 200, h = 48 }
local GRAPH = { x = 40, y = 330, w = 720, h = 100, top = 1 / 30 } -- `top`: seconds at its upper edge
local COLOURS = {
  background = { 0.07, 0.08, 0.13 }, panel = { 0.11, 0.13, 0.20 }, text = { 0.93, 0.94, 0.98 }, dim = { 0.55, 0.59, 0.70 },
  button = { 0.25, 0.47, 0.95 }, frame = { 0.30, 0.75, 0.62 }, update = { 0.98, 0.45, 0.35 }, gold = { 0.98, 0.80, 0.35 },
}

local frames = {} -- { seconds of the frame, seconds of those in authgear.update() }, the newest last
local big, normal, small

function screen.load()
  big, normal, small = love.graphics.newFont(30), love.graphics.newFont(18), love.graphics.newFont(13)
end

function screen.note_frame(seconds, in_update)
  frames[#frames + 1] = { seconds, in_update }
  if #frames > GRAPH.w / 3 then
    table.remove(frames, 1)
  end
end

function screen.is_on_button(x, y)
  return x >= BUTTON.x and x < BUTTON.x + BUTTON.w and y >= BUTTON.y and y < BUTTON.y + BUTTON.h
end

local function write(font, colour, text, x, y, width, align)
  love.graphics.setFont(font)
  love.graphics.setColor(COLOURS[colour])
  love.graphics.printf(text, x, y, width or 700, align or "left")
end

local function box(colour, x, y, w, h, round)
  love.graphics.setColor(COLOURS[colour])
  love.graphics.rectangle("fill", x, y, w, h, round, round)
end

local function draw_button(game)
  local label = game.state == "logged out" and "Log in" or game.state == "logging in" and "see the browser" or "logged in"
  box(game.state == "logged out" and "button" or "panel", BUTTON.x, BUTTON.y, BUTTON.w, BUTTON.h, 10)
  write(normal, "text", label, BUTTON.x, BUTTON.y + 13, BUTTON.w, "center")
end

local function draw_scores(game)
  box("panel", 40, 100, 720, 180, 10)
  if #game.scores == 0 then
    write(normal, "dim", game.message or "Log in to see who leads.", 40, 180, 720, "center")
  end
  for i, score in ipairs(game.scores) do
    local y = 112 + (i - 1) * 32
    write(normal, i == 1 and "gold" or "dim", i .. ".", 64, y)
    write(normal, "text", score.name, 110, y)
    write(normal, i == 1 and "gold" or "text", tostring(score.points), 436, y, 300, "right")
  end
end

local function draw_graph(game)
  local g, longest = GRAPH, 0
  box("panel", g.x, g.y, g.w, g.h, 6)
  for i, frame in ipairs(frames) do
    local x = g.x + (i - 1) * 3
    local high = math.min(frame[1] / g.top, 1) * g.h
    box("frame", x, g.y + g.h - high, 2, high)
    high = math.min(frame[2] / g.top, 1) * g.h
    box("update", x, g.y + g.h - high, 2, high)
    longest = math.max(longest, frame[2])
  end
  write(small, "dim", "each bar a frame, up to 33 ms: green all of it, red what the SDK took", g.x, g.y - 22)
  write(small, "update", ("longest in authgear.update(): %.2f ms"):format(longest * 1000), g.x, g.y - 22, g.w, "right")
  write(small, "dim", ("%d fetched with the access token, %d under way"):format(game.fetched, game.under_way), g.x, g.y + g.h + 10)
end

function screen.draw(game)
  love.graphics.clear(COLOURS.background)
  write(big, "text", "Leaderboard", 40, 36)
  draw_button(game)
  draw_scores(game)
  draw_graph(game)
end

return screen
