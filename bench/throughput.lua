-- runs-on: jit
-- 1,000 small TLS fetches to one host: one after the other in calls that block, over HTTP/1.1, beside tasks over one HTTP/2
-- connection; and 10,000 fetches, 200 at a time: what Lua's memory and the process's grow by. The server is nginx, since a
-- slower one would be what is measured: on this machine, where a request in a call that blocks costs next to nothing, and as if
-- it were a millisecond away, where nearly all of it is waiting. Medians of interleaved rounds.
-- Usage: throughput.lua [FETCHES [FETCHES-FOR-MEMORY]]
local authgear = require "authgear"
local core = require "authgear.core"
local nginx = require "spec.support.nginx"
local session = require "bench.session"
local support = require "bench.support"

local ROUNDS = 5
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

local function one_by_one(client, url)
  for _ = 1, FETCHES do
    assert(assert(client:fetch(url)).status == 200)
  end
end

local function in_tasks(client, url)
  local list = {}
  local function fetch()
    return client:fetch(url)
  end
  for i = 1, FETCHES do
    list[i] = fetch
  end
  local results, errs = authgear.all(list, AT_ONCE):wait()
  assert(not errs, errs and tostring(select(2, next(errs))))
  assert(results.n == FETCHES)
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

local HTTP = [[
  keepalive_requests 1000000;
  ssl_certificate ${cert};
  ssl_certificate_key ${key};
  server {
    listen 127.0.0.1:${http2} ssl http2;
    location = /near { content_by_lua_block { ${near} } }
    location = /far { content_by_lua_block { ${far} } }
  }
]]
local NEAR = 'ngx.print(("x"):rep(200))'
local FAR = "ngx.sleep(0.001) " .. NEAR -- as a server does that is a millisecond away

-- Starts nginx with a port for HTTP/1.1 and one for HTTP/2; gives it, their URLs, and the certificate.
local function start_nginx()
  local key, cert, http2 = support.dir .. "/key.pem", support.dir .. "/cert.pem", nginx.free_port()
  support.capture(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench "
    .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2> /dev/null"):format(key, cert))
  local server = nginx.start { level = "error", listen = "ssl", http = HTTP, locations = { ["/near"] = NEAR, ["/far"] = FAR },
    values = { cert = cert, key = key, http2 = http2, near = NEAR, far = FAR } }
  return server, ("https://127.0.0.1:%d"):format(server.port), ("https://127.0.0.1:%d"):format(http2), cert
end

-- Fetches a second, serial and in tasks, and the median of the rounds' ratios.
local function measure(client, http1, http2, rounds)
  local serial, tasks, ratios = {}, {}, {}
  one_by_one(client, http1)
  in_tasks(client, http2)
  assert(client:fetch(http1).http_version == "1.1")
  assert(authgear.async(client.fetch, client, http2):wait().http_version == "2")
  for round = 1, rounds do
    serial[round] = timed(function() one_by_one(client, http1) end)
    tasks[round] = timed(function() in_tasks(client, http2) end)
    ratios[round] = serial[round] / tasks[round]
  end
  return FETCHES / support.median(serial), FETCHES / support.median(tasks), support.median(ratios)
end

local function compare(client, http1, http2)
  local rows = { { FETCHES .. " fetches of 200 bytes over TLS, fetches a second", "serial, HTTP/1.1",
    ("%d at a time, HTTP/2"):format(AT_ONCE), "times" } }
  local ratio
  for _, where in ipairs { { "/near", "a server on this machine" }, { "/far", "one that is a millisecond away" } } do
    local serial, tasks
    serial, tasks, ratio = measure(client, http1 .. where[1], http2 .. where[1], ROUNDS)
    rows[#rows + 1] = { where[2], ("%.0f"):format(serial), ("%.0f"):format(tasks), ("%.2f"):format(ratio) }
  end
  support.table(rows)
  support.bound("times the throughput of serial fetches, a millisecond away", ratio, "%.2f", 2, ratio >= 2)
end

-- Constant: what so many fetches leave behind, once a fifth as many were made, is less than 1 MiB.
local function measure_memory(client, url)
  hold(client, url, MANY / 5)
  collectgarbage()
  local lua, process = collectgarbage "count", resident()
  hold(client, url, MANY)
  collectgarbage()
  print(("  %d fetches, %d at a time: Lua's memory %+.0f KiB, the process %+d KiB"):format(MANY, AT_ONCE,
    collectgarbage "count" - lua, resident() - process))
  support.bound("KiB that the process has grown by", resident() - process, "%d", 1024)
end

support.run(function()
  local server, http1, http2, cert = start_nginx()
  local client = session.client(session.token(), { ca_file = cert, proxy = "" })
  local ok, err = xpcall(function()
    compare(client, http1, http2)
    measure_memory(client, http2 .. "/near")
  end, debug.traceback)
  server:stop()
  assert(ok, err)
end)
