-- runs-on: 5.4
-- What a blocking fetch costs on a kept connection (a session, an access token of 1 KiB, an answer of 200 bytes), beside
-- a bare libcurl loop in C that sends the very same requests, and beside Lua's other HTTP clients: CPU time and wall
-- clock per request. All clients run at once, each in a process of its own, and take turns; the ratio of each turn is
-- taken to the bare loop's turns before and after it, and the median of those is shown. All of them and
-- the server share one processor, so the wall clock holds the server's time as well.
-- Usage: fetch.lua [ROUNDS [REQUESTS-IN-A-TURN]]
local session = require "bench.session"
local support = require "bench.support"

local ROUNDS, REQUESTS = math.max(tonumber(arg[1]) or 60, 6), tonumber(arg[2]) or 200
local USER_AGENT = "authgear-lua/bench"

-- kind: of bench/worker.lua; bounds: has some; share, every: fewer requests in a turn, and a turn in a
-- few rounds only, for those that make a connection for each (and wait 40 ms for it: Nagle). Debian's Lua-cURL uses another
-- libcurl than we do by default, built with GnuTLS, which is faster by itself: so the bare loop and fetch are there on that as well.
local GNUTLS = "-l:libcurl-gnutls.so.4"
local CLIENTS = {
  { name = "bare libcurl of Lua-cURL (GnuTLS), C", lua = "C", kind = "gnutls" },
  { name = "authgear.fetch on Lua-cURL's libcurl, 5.1", lua = "5.1", kind = "fetch", gnutls = true },
  { name = "authgear.fetch, Lua 5.4", lua = "5.4", kind = "fetch", bounds = true },
  { name = "authgear.fetch, Lua 5.1", lua = "5.1", kind = "fetch", bounds = true },
  { name = "authgear.fetch, LuaJIT", lua = "jit", kind = "fetch", bounds = true },
  { name = "authgear.fetch, session in a file, 5.4", lua = "5.4", kind = "fetch_file" },
  { name = "its transport alone, 5.4", lua = "5.4", kind = "transport" },
  { name = "Lua-cURL, Lua 5.1", lua = "5.1", kind = "luacurl" },
  { name = "luasocket + luasec, Lua 5.4", lua = "5.4", kind = "luasocket", share = 0.05, every = 6 },
  { name = "luasocket + luasec, Lua 5.1", lua = "5.1", kind = "luasocket", share = 0.05, every = 6 },
  { name = "luasocket + luasec, LuaJIT", lua = "jit", kind = "luasocket", share = 0.05, every = 6 },
  { name = "the same, connection kept by hand, 5.4", lua = "5.4", kind = "luasocket_kept" },
  { name = "the same, connection kept by hand, 5.1", lua = "5.1", kind = "luasocket_kept" },
  { name = "the same, connection kept by hand, LuaJIT", lua = "jit", kind = "luasocket_kept" },
}

local function certificate()
  local key, cert = support.dir .. "/key.pem", support.dir .. "/cert.pem"
  support.capture(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench "
    .. "-addext subjectAltName=IP:127.0.0.1 -keyout %s -out %s 2> /dev/null"):format(key, cert))
  return cert, key
end

-- The header lines of a request in a fixed order.
local function echo(process)
  local lines = {}
  process:tell("echo")
  local line = process:line()
  while line ~= "\r" do
    lines[#lines + 1] = line
    line = process:line()
  end
  process:line()
  table.sort(lines)
  return table.concat(lines, "\n"):gsub("\r", "")
end

local function turn(process, n)
  process:tell(tostring(n))
  local cpu, wall = process:line():match("^(%S+) (%S+)$")
  return { cpu = tonumber(cpu), wall = tonumber(wall) }
end

-- The command that starts a client, or nil when this machine lacks what it needs.
local function command_of(known)
  if known.gnutls then
    local below = support.build(known.lua, "gnutls", "CURL_LIBS=" .. GNUTLS)
    return below and support.lua(known.lua, "bench/worker.lua", below) .. " " .. known.kind
  elseif known.kind ~= "gnutls" then
    return support.lua(known.lua, "bench/worker.lua") .. " " .. known.kind
  end
  local ok, path = pcall(support.compile, "bare_curl", GNUTLS .. " 2> /dev/null", nil, "bare_gnutls")
  return ok and path or nil
end

-- Starts all clients that this machine has, each ready for its turns.
local function start_clients(bare, url, cert)
  local args = (" %s %s %s %s"):format(url, cert, session.token(), USER_AGENT)
  local libcurl = support.start(support.pin() .. bare .. args)
  local sent = echo(libcurl)
  local clients = {}
  for i, known in ipairs(CLIENTS) do
    local command = command_of(known)
    if command then
      local client = setmetatable({ cpu = {}, wall = {}, cpu_ratio = {}, wall_ratio = {} }, { __index = known })
      client.process = support.start(("BENCH_DIR=%s/session%d "):format(support.dir, i) .. support.pin() .. command .. args)
      assert(known.kind:find "^luasocket" or echo(client.process) == sent, known.name .. " sends another request than libcurl")
      turn(client.process, client.every and 1 or 100)
      clients[#clients + 1] = client
    end
  end
  turn(libcurl, 100)
  return libcurl, clients
end

local function its_turn(clients, round)
  local list = {}
  for _, client in ipairs(clients) do
    if round % (client.every or 1) == 0 then
      list[#list + 1] = client
    end
  end
  return list
end

local function measure(libcurl, clients)
  local bare = { cpu = {}, wall = {} }
  local before = turn(libcurl, REQUESTS)
  for round = 1, ROUNDS do
    for _, client in ipairs(its_turn(clients, round)) do
      local own, after = turn(client.process, math.ceil(REQUESTS * (client.share or 1))), turn(libcurl, REQUESTS)
      for _, what in ipairs { "cpu", "wall" } do
        table.insert(client[what], own[what])
        table.insert(client[what .. "_ratio"], own[what] * 2 / (before[what] + after[what]))
        table.insert(bare[what], after[what])
      end
      before = after
    end
  end
  return bare
end

local function show(scheme, bare, clients)
  local median = support.median
  local rows = { { scheme, "CPU us", "ratio", "wall us", "ratio" },
    { "bare libcurl, C", ("%.2f"):format(median(bare.cpu)), "1", ("%.2f"):format(median(bare.wall)), "1" } }
  for _, client in ipairs(clients) do
    rows[#rows + 1] = { client.name, ("%.2f"):format(median(client.cpu)), ("%.3f"):format(median(client.cpu_ratio)),
      ("%.2f"):format(median(client.wall)), ("%.3f"):format(median(client.wall_ratio)) }
  end
  support.table(rows)
end

local function find(clients, kind, lua, gnutls)
  for _, client in ipairs(clients) do
    if client.kind == kind and client.lua == lua and client.gnutls == gnutls then
      return client
    end
  end
end

local function beside(name, client, rival)
  if rival then
    support.bound(name .. ", wall clock, beside " .. rival.name,
      support.median(client.wall_ratio) / support.median(rival.wall_ratio), "%.3f", 1)
  end
end

-- How much of what lies between the two clients is the one libcurl against the other.
local function on_the_same(scheme, clients)
  local fetch, curl = find(clients, "fetch", "5.1", true), find(clients, "luacurl", "5.1")
  if fetch and curl then
    for what, name in pairs { cpu_ratio = "CPU time", wall_ratio = "wall clock" } do
      support.bound(("%s, %s, %s, beside Lua-cURL's"):format(scheme, fetch.name, name),
        support.median(fetch[what]) / support.median(curl[what]), "%.3f", 1)
    end
  end
end

local function judge(scheme, clients)
  for _, client in ipairs(clients) do
    if client.bounds then
      local name = scheme .. ", " .. client.name
      support.bound(name .. ", CPU time", support.median(client.cpu_ratio), "%.3f", 1.10)
      support.bound(name .. ", wall clock", support.median(client.wall_ratio), "%.3f", 1.15)
      beside(name, client, find(clients, "luacurl", client.lua))
      beside(name, client, find(clients, "luasocket", client.lua))
      beside(name, client, find(clients, "luasocket_kept", client.lua))
    end
  end
end

local function main()
  local bare = support.compile("bare_curl", "-lcurl")
  local cert, key = certificate()
  local server = support.start(support.pin() .. support.compile("server", "-lssl -lcrypto -lpthread") .. " " .. cert .. " " .. key)
  local http, https = server:line():match("^http=(%d+) https=(%d+)$")
  print(("Fetch on a kept connection; medians of %d rounds of %d requests"):format(ROUNDS, REQUESTS))
  for _, scheme in ipairs { "http", "https" } do
    local libcurl, clients = start_clients(bare, ("%s://127.0.0.1:%s"):format(scheme, scheme == "http" and http or https), cert)
    local figures = measure(libcurl, clients)
    print()
    show(scheme, figures, clients)
    judge(scheme, clients)
    on_the_same(scheme, clients)
    libcurl:stop()
    for _, client in ipairs(clients) do
      client.process:stop()
    end
  end
  server:stop()
end

support.run(main)
