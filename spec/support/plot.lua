-- Draws lines over time as an SVG picture, one panel for each: what a long run measured, for the docs.
-- Must never need anything but Lua.

local plot = {}

local WIDTH, HEIGHT, LEFT, GAP = 800, 160, 70, 50

local function ticks(most)
  local step = 10 ^ math.floor(math.log(most) / math.log(10))
  if most / step < 2 then
    step = step / 2
  end
  return step
end

-- One panel: a frame, a scale from 0, and a line through the samples.
local function panel(out, top, samples, name, title)
  local most, last = 1, samples[#samples].t
  for _, sample in ipairs(samples) do
    most = math.max(most, sample[name])
  end
  most = most * 1.15
  local function x(t)
    return LEFT + t / last * (WIDTH - LEFT - 10)
  end
  local function y(value)
    return top + HEIGHT - value / most * HEIGHT
  end
  local function add(format, ...)
    out[#out + 1] = format:format(...)
  end
  add('<text x="%d" y="%d">%s</text>', LEFT, top - 8, title)
  add('<rect x="%d" y="%d" width="%d" height="%d" fill="none" stroke="#999"/>', LEFT, top, WIDTH - LEFT - 10, HEIGHT)
  local step = ticks(most)
  for value = 0, most, step do
    add('<text x="%d" y="%.1f" text-anchor="end">%g</text>', LEFT - 6, y(value) + 4, value)
    add('<path d="M%d %.1fH%d" stroke="#ddd"/>', LEFT, y(value), WIDTH - 10)
  end
  for minute = 0, last / 60, math.max(1, math.floor(last / 600)) do
    add('<text x="%.1f" y="%d" text-anchor="middle">%d</text>', x(minute * 60), top + HEIGHT + 16, minute)
  end
  local points = {}
  for i, sample in ipairs(samples) do
    points[i] = ("%.1f,%.1f"):format(x(sample.t), y(sample[name]))
  end
  add('<polyline points="%s" fill="none" stroke="#1667b8" stroke-width="1.5"/>', table.concat(points, " "))
end

--- Gives the picture as text.
---@param samples table[] each with `t` in seconds and the panels' values
---@param panels { [1]: string, [2]: string }[] a value's name and its title
---@return string
function plot.svg(samples, panels)
  local out = { ('<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" font-family="sans-serif" font-size="12">')
    :format(WIDTH, #panels * (HEIGHT + GAP) + 10), '<rect width="100%" height="100%" fill="#fff"/>' }
  for i, one in ipairs(panels) do
    panel(out, (i - 1) * (HEIGHT + GAP) + 24, samples, one[1], one[2])
  end
  out[#out + 1] = "</svg>\n"
  return table.concat(out, "\n")
end

return plot
