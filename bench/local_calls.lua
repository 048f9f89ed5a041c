-- runs-on: 5.4 jit 5.1
-- What the calls cost that are made all the time and have nothing to do: access_token() and
-- refresh_access_token_if_needed() with a token that is fresh. Medians of several runs; and whether they allocate.
local authgear = require "authgear"
local session = require "bench.session"
local support = require "bench.support"

local RUNS, CALLS = 21, 200000
local LIMITS = { ["5.4"] = 0.3, jit = 0.2 }
local version = os.getenv("AUTHGEAR_LUA_VERSION")

-- us for a call, the empty loop aside.
local function measure(fn)
  local times = {}
  for run = 1, RUNS do
    local started = os.clock()
    for _ = 1, CALLS do
      fn()
    end
    times[run] = (os.clock() - started) * 1e6 / CALLS
  end
  return support.median(times)
end

-- Bytes that a call leaves behind, the collector standing still: the median of several runs, since a session in a file
-- is looked after by one call every 10 ms, which has something to do.
local function allocated(fn)
  local grown = {}
  for run = 1, RUNS do
    collectgarbage()
    collectgarbage("stop")
    local before = collectgarbage("count")
    for _ = 1, CALLS / 20 do
      fn()
    end
    grown[run] = (collectgarbage("count") - before) * 1024 / (CALLS / 20)
    collectgarbage("restart")
  end
  return support.median(grown)
end

local function main()
  local rows, bounds = { { "", "us a call", "bytes a call" } }, {}
  for _, where in ipairs { "memory", "file" } do
    local client = session.client(session.token(), {
      storage = where == "file" and authgear.storage.file { dir = support.dir .. "/sessions" } or where })
    assert(client:refresh_access_token_if_needed())
    local calls = {
      { "access_token", function()
        return client:access_token()
      end },
      { "refresh_access_token_if_needed", function()
        return client:refresh_access_token_if_needed()
      end },
    }
    for _, call in ipairs(calls) do
      local name, fn = ("%s, session in %s"):format(call[1], where == "file" and "a file" or "memory"), call[2]
      local us, grown = measure(fn), allocated(fn)
      rows[#rows + 1] = { name, ("%.3f"):format(us), ("%.3f"):format(grown) }
      bounds[#bounds + 1] = { name, us, grown }
    end
    client:close()
  end
  support.table(rows)
  for _, bound in ipairs(bounds) do
    if LIMITS[version] then
      support.bound(bound[1] .. ", us", bound[2], "%.3f", LIMITS[version])
    end
    support.bound(bound[1] .. ", bytes allocated", bound[3], "%.3f", 0)
  end
end

support.run(main)
