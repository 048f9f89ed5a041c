-- runs-on: 5.4
-- 1,000 small TLS fetches to one host: one after the other in calls that block, beside tasks over one HTTP/2 connection;
-- and 10,000 fetches, 200 at a time: what Lua's memory and the process's grow by. The server is the development server
-- (spec/server), which speaks HTTP/2 and, being node, takes most of the time; so the figures are ratios in one run.
-- Usage: throughput.lua [FETCHES [FETCHES-FOR-MEMORY]]
local authgear = require "authgear"
local core = require "authgear.core"
local support = require "bench.support"

local FETCHES, MANY, AT_ONCE = tonumber(arg[1]) or 1000, tonumber(arg[2]) or 10000, 200

local function resident()
  for line in io.lines "/proc/self/status" do
    local kib = line:match "^VmRSS:%s+(%d+)"
    if kib then
      return tonumber(kib)
    end
  end
end

local function timed(fn)
  local began = core.clock()
  fn()
  return core.clock() - began
end

local function one_by_one(client, url, init)
  for _ = 1, FETCHES do
    assert(assert(client:fetch(url, init)).status == 200)
  end
end

local function in_tasks(client, url, count)
  local list = {}
  local function fetch()
    return client:fetch(url)
  end
  for i = 1, count do
    list[i] = fetch
  end
  local results, errs = authgear.all(list, AT_ONCE):wait()
  assert(not errs, errs and tostring(select(2, next(errs))))
  assert(results.n == count)
end

-- Without keeping the answers.
local function hold(client, url, count)
  local left, handles = count, {}
  for i = 1, AT_ONCE do
    handles[i] = function()
      while left > 0 do
        left = left - 1
        assert(assert(client:fetch(url)).status == 200)
      end
    end
  end
  assert(not select(2, authgear.all(handles):wait()))
end

support.run(function()
  local dev = require("spec.support.server").start { tls = true }
  local client = require("bench.session").client(require("bench.session").token(), { ca_file = dev.ca_file, proxy = "",
    allowed_origins = { "https://api.example.com" } })
  local url, init = dev.app .. "/bench?n=200", { authorization = false }
  local fetch = client.fetch
  function client:fetch(target)
    return fetch(self, target, init)
  end
  one_by_one(client, url)
  print(("%d fetches of 200 bytes over TLS; serial over HTTP/%s"):format(FETCHES, client:fetch(url).http_version or "?"))
  local serial = timed(function() one_by_one(client, url) end)
  in_tasks(client, url, FETCHES)
  local tasks = timed(function() in_tasks(client, url, FETCHES) end)
  support.table { { "", "fetches a second" }, { "serial", ("%.0f"):format(FETCHES / serial) },
    { ("%d at a time"):format(AT_ONCE), ("%.0f"):format(FETCHES / tasks) } }
  support.bound("times the throughput of serial fetches", serial / tasks, "%.2f", 2, serial / tasks >= 2)
  hold(client, url, MANY / 5)
  collectgarbage()
  local lua, process = collectgarbage "count", resident()
  hold(client, url, MANY)
  collectgarbage()
  print(("  %d fetches, %d at a time: Lua's memory %+.0f KiB, the process %+d KiB"):format(MANY, AT_ONCE,
    collectgarbage "count" - lua, resident() - process))
  dev:stop()
end)
