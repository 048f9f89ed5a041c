-- runs-on: 5.4 jit
-- What fetching costs a frame: a loop of 60 frames a second in which 32 TLS fetches are always in flight, each on a new
-- connection, so that there is a handshake for each: thread CPU time of authgear.update() in every frame, the tasks' own
-- Lua code and the fetches that it begins included. Beside it the same work with luasocket and luasec, whose handshakes
-- are made in the frame, by coroutines that are resumed when their sockets are ready; and what this machine takes, while the
-- same fetches go on, for a hundred calls of tostring once a frame, a few microseconds in a loop: the caches are cold each
-- time; and for one byte of each of as many pages of memory as a frame of update() reads, in C: on some virtual machines
-- reading memory takes hundreds of microseconds now and then.
-- Usage: frame.lua [SECONDS [MILLISECONDS-TO-THE-SERVER]]
local authgear = require "authgear"
local core = require "authgear.core"
local session = require "bench.session"
local support = require "bench.support"

local SECONDS, DISTANCE = tonumber(arg[1]) or 20, tonumber(arg[2]) or 50
local IN_FLIGHT, FRAME = 32, 1 / 60
local WARM_UP = 60 -- frames that are not counted
local BUDGET = 10e-6 -- seconds that update is given in the second measurement: the rest waits for the next frame
local PAGES = 150 -- those with code among them; counted with a memory trace

local thread_clock, read_pages

-- Calls frame() sixty times a second, and also(), which is not measured; the thread CPU time that each call took, in us.
local function frames(frame, also)
  local times, next_frame = {}, core.clock()
  for i = 1, WARM_UP + SECONDS * 60 do
    local before = thread_clock()
    frame()
    if i > WARM_UP then
      times[#times + 1] = (thread_clock() - before) * 1e6
    end
    if also then
      also()
    end
    next_frame = next_frame + FRAME
    core.sleep(next_frame - core.clock())
  end
  return times
end

-- While our fetches are in flight.
local function with_authgear(url, cert, measured, also)
  local client = session.client(session.token(), { ca_file = cert, proxy = "" })
  local fetched, failed, going = 0, 0, true
  for _ = 1, IN_FLIGHT do
    authgear.async(function()
      while going do
        local response = client:fetch(url)
        if response and response.status == 200 then
          fetched = fetched + 1
        else
          failed = failed + 1
        end
      end
    end)
  end
  local times = frames(measured, also)
  going = false
  while authgear.update() > 0 do
    core.sleep(0.01)
  end
  return times, fetched, failed
end

local function update()
  authgear.update()
end

local function update_within_budget()
  authgear.update(BUDGET)
end

local kept = {}

local function hundred_strings()
  for i = 1, 100 do
    kept[i % 8 + 1] = tostring(i)
  end
  assert(#kept == 8) -- they must not be optimized away
end

local function pages()
  read_pages(PAGES)
end

local function fetch_with_luasec(url, context)
  local socket, ssl = require "socket", require "ssl"
  local host, port, path = url:match("^https://([^:]+):(%d+)(.*)$")
  local sock = socket.tcp()
  sock:settimeout(0)
  sock:connect(host, port)
  coroutine.yield(sock, "write")
  local tls = assert(ssl.wrap(sock, context))
  tls:settimeout(0)
  local function until_done(method, ...)
    while true do
      local ok, err, partial = tls[method](tls, ...)
      if ok then
        return ok
      elseif err == "wantwrite" then
        coroutine.yield(tls, "write")
      elseif err == "wantread" or err == "timeout" then
        coroutine.yield(tls, "read")
      else
        return partial
      end
    end
  end
  assert(until_done "dohandshake")
  until_done("send", ("GET %s HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\n\r\n"):format(
    path, host, session.token()))
  local body = until_done("receive", "*a")
  tls:close()
  return body
end

local function with_luasec(url, cert)
  local socket, ssl = require "socket", require "ssl"
  local context = assert(ssl.newcontext { mode = "client", protocol = "any", verify = "peer", cafile = cert })
  local fetched, failed, waiting = 0, 0, { read = {}, write = {} }
  local of = {}
  local function resume(co)
    local ok, sock, what = coroutine.resume(co)
    assert(ok, sock)
    of[sock] = co
    table.insert(waiting[what], sock)
  end
  for _ = 1, IN_FLIGHT do
    resume(coroutine.create(function()
      while true do
        local body = fetch_with_luasec(url, context)
        if body and body:find("^HTTP/1.1 200") then
          fetched = fetched + 1
        else
          failed = failed + 1
        end
      end
    end))
  end
  local function without(list, sock)
    for i, one in ipairs(list) do
      if one == sock then
        return table.remove(list, i)
      end
    end
  end
  return frames(function()
    local readable, writable = socket.select(waiting.read, waiting.write, 0)
    for _, sock in ipairs(readable) do
      without(waiting.read, sock)
      resume(of[sock])
    end
    for _, sock in ipairs(writable) do
      without(waiting.write, sock)
      resume(of[sock])
    end
  end), fetched, failed
end

local function at(sorted, share)
  return sorted[math.max(math.ceil(#sorted * share), 1)]
end

local function show(rows, name, times, fetched, failed)
  table.sort(times)
  local row = { name, "", "", "", ("%.1f"):format(times[#times]), "", "" }
  for i, share in ipairs { 0.5, 0.9, 0.99 } do
    row[i + 1] = ("%.1f"):format(at(times, share))
  end
  if fetched then
    row[6], row[7] = ("%.1f"):format(fetched / (#times + WARM_UP)), tostring(failed)
  end
  rows[#rows + 1] = row
  return at(times, 0.99), times[#times]
end

support.run(function()
  local key, cert = support.dir .. "/key.pem", support.dir .. "/cert.pem"
  support.capture(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench "
    .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2> /dev/null"):format(key, cert))
  local lua = rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match "%d%.%d"
  local function module(name)
    local file = support.compile(name, "", "-shared -fPIC $(pkg-config --cflags " .. lua .. ")")
    return assert(package.loadlib(file, "luaopen_" .. name))()
  end
  thread_clock, read_pages = module "thread_clock", module "read_pages"
  local server = support.start(support.compile("server", "-lssl -lcrypto -lpthread") .. " " .. cert .. " " .. key)
  local _, https = server:line():match("^http=(%d+) https=(%d+)$")
  local url = ("https://127.0.0.1:%s/new?%d"):format(https, DISTANCE)
  print(("%d TLS fetches in flight, each on a new connection, answered after %d ms; %d s at 60 frames a second")
    :format(IN_FLIGHT, DISTANCE, SECONDS))
  local rows = { { "thread CPU us in a frame", "median", "p90", "p99", "max", "fetches a frame", "failed" } }
  local p99, max = show(rows, "authgear.update()", with_authgear(url, cert, update))
  local budget_p99, budget_max = show(rows, ("authgear.update(%g)"):format(BUDGET), with_authgear(url, cert, update_within_budget))
  if pcall(require, "ssl") then
    show(rows, "luasec, handshakes in the frame", with_luasec(url, cert))
  end
  show(rows, "100 calls of tostring", (with_authgear(url, cert, hundred_strings, update)))
  show(rows, ("a byte of each of %d pages"):format(PAGES), (with_authgear(url, cert, pages, update)))
  support.table(rows)
  support.bound("update(), p99", p99, "%.1f us", 50)
  support.bound("update(), max", max, "%.1f us", 500)
  support.bound(("update(%g), p99"):format(BUDGET), budget_p99, "%.1f us", 50)
  support.bound(("update(%g), max"):format(BUDGET), budget_max, "%.1f us", 500)
  server:stop()
end)
