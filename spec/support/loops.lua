-- The hosts that a program can wait in, one row each, as spec/loops_spec.lua runs them: an adapter, and what a program
-- does in that loop without us. A new host is one more row.
-- Must never touch a loop that is not asked for: they are loaded when they are.
local core = require "authgear.core"

local version = os.getenv "AUTHGEAR_LUA_VERSION" or (rawget(_G, "jit") and "jit") or _VERSION:match "%d.%d"

---@class spec.Loop
---@field name string
---@field host table|nil for the option `host`
---@field go fun(fn: function) runs fn in a coroutine of the loop
---@field run fun() runs the loop until it ends by itself
---@field sleep fun(seconds: number) the loop's own way to wait, in a coroutine
---@field only string|nil the Luas there is a package for; all unless set

local loops = {}

local function luv()
  local uv = require "luv"
  local loop = { host = require "authgear.host.luv" }
  function loop.go(fn)
    coroutine.wrap(fn)()
  end
  function loop.run()
    uv.run()
  end
  function loop.sleep(seconds)
    local co = require("authgear.running").running()
    local timer = uv.new_timer()
    timer:start(math.ceil(seconds * 1000), 0, function()
      timer:close()
      local ok, raised = coroutine.resume(co)
      if not ok then
        error(raised, 0)
      end
    end)
    coroutine.yield()
  end
  return loop
end

local function cqueues()
  local library = require "cqueues"
  local controller = library.new()
  local loop = { host = require "authgear.host.cqueues", sleep = library.sleep }
  function loop.go(fn)
    controller:wrap(fn)
  end
  function loop.run()
    loop.host.attach(controller)
    assert(controller:loop())
  end
  return loop
end

-- copas 1.x runs for ever: it is stepped here until the threads that were begun are over. A thread sleeps there by
-- waiting for a socket; what is stepped over and over serves as a clock.
local function copas()
  local library = require "copas"
  local scheduler = require "authgear.scheduler"
  local loop = { host = require "authgear.host.copas" }
  local left = 0
  function loop.go(fn)
    left = left + 1
    library.addthread(function()
      library.setErrorHandler(function(message)
        left = left - 1
        loop.raised = message
      end)
      fn()
      left = left - 1
    end)
  end
  function loop.run()
    while left > 0 or scheduler.pending() do
      library.step()
    end
    if loop.raised then
      local raised = loop.raised
      loop.raised = nil
      error(raised, 0)
    end
  end
  loop.sleep = loop.host.sleep
  return loop
end

local function frames()
  local authgear = require "authgear"
  local loop = { go = authgear.async }
  function loop.run()
    while authgear.update() > 0 do
      core.sleep(0.001)
    end
  end
  loop.sleep = authgear.sleep
  return loop
end

local rows = {
  { "luv", luv },
  { "cqueues", cqueues },
  { "copas", copas, "5.1 5.2 jit" },
  { "update() once per frame", frames },
}

--- The rows of this Lua, and the names of those that there is no package for.
---@return { name: string, open: fun(): spec.Loop }[]
---@return string[]
function loops.all()
  local here, elsewhere = {}, {}
  for _, row in ipairs(rows) do
    if not row[3] or (" " .. row[3] .. " "):find(" " .. version .. " ", 1, true) then
      here[#here + 1] = { name = row[1], open = row[2] }
    else
      elsewhere[#elsewhere + 1] = row[1]
    end
  end
  return here, elsewhere
end

return loops
