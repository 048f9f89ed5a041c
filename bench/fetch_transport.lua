-- What a request of the libcurl transport costs beside a bare libcurl loop in C, and beside lua-curl (on 5.1,
-- where it is installed): CPU and wall clock per request on a kept connection, medians of interleaved runs.
-- Usage, from the repository, with LUA_PATH and LUA_CPATH set to the build: lua bench/fetch_transport.lua [REQUESTS [ROUNDS]]
-- The worker itself: ... fetch_transport.lua worker KIND URL REQUESTS CA-FILE
local function now()
  local f = io.open("/proc/uptime")
  local t = f:read("*n")
  f:close()
  return t
end

local HEADERS = "Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nUser-Agent: bench\r\n"

local makers = {}

function makers.transport(url, ca)
  local transport = require("authgear.transport.curl").new { ca_file = ca }
  return function()
    local res = assert(transport:send { method = "GET", url = url, headers = HEADERS, timeout = 60, connect_timeout = 15,
      max_body = 64 * 1024 * 1024 })
    return res.body
  end
end

function makers.luacurl(url, ca)
  local curl = require "curl"
  local c, parts = curl.easy_init(), nil
  c:setopt(curl.OPT_URL, url)
  c:setopt(curl.OPT_HTTPHEADER, HEADERS:match("^[^\r]+"), "User-Agent: bench")
  c:setopt(curl.OPT_ENCODING, "")
  c:setopt(curl.OPT_CAINFO, ca)
  c:setopt(curl.OPT_PROXY, "")
  c:setopt(curl.OPT_WRITEFUNCTION, function(_, bytes)
    parts[#parts + 1] = bytes
    return #bytes
  end)
  return function()
    parts = {}
    assert(c:perform())
    return table.concat(parts)
  end
end

local function worker(kind, url, n, ca)
  local request = makers[kind](url, ca)
  for _ = 1, 20 do
    assert(#request() > 0)
  end
  collectgarbage()
  local cpu, wall = os.clock(), now()
  for _ = 1, n do
    request()
  end
  print(("%.3f %.3f"):format((os.clock() - cpu) * 1e6 / n, (now() - wall) * 1e6 / n))
end

local function run(command)
  local pipe = io.popen(command)
  local cpu, wall = pipe:read("*n", "*n")
  pipe:close()
  assert(wall, command)
  return { cpu = cpu, wall = wall }
end

local function median(list, key)
  local values = {}
  for _, v in ipairs(list) do
    values[#values + 1] = v[key]
  end
  table.sort(values)
  return values[math.floor((#values + 1) / 2)]
end

local function main(server, n, rounds)
  local bare = os.tmpname()
  assert(os.execute("cc -O2 bench/bare_curl.c -lcurl -o " .. bare) ~= nil)
  local interpreter = arg[-1]
  local kinds = { "bare", "transport" }
  if pcall(require, "curl") then
    kinds[3] = "luacurl"
  end
  for scheme, url in pairs { http = server:url("http", "/bytes/200"), https = "https://127.0.0.1:" .. server.tls1 .. "/bytes/200" } do
    local results = {}
    for _ = 1, rounds do
      for _, kind in ipairs(kinds) do
        local args = (" %s %d %s"):format(url, n, server.ca)
        results[kind] = results[kind] or {}
        table.insert(results[kind], run(kind == "bare" and bare .. args
          or interpreter .. " bench/fetch_transport.lua worker " .. kind .. args))
      end
    end
    local cpu, wall = median(results.bare, "cpu"), median(results.bare, "wall")
    for _, kind in ipairs(kinds) do
      local c, w = median(results[kind], "cpu"), median(results[kind], "wall")
      print(("%-6s %-10s cpu %7.2f us  x%.3f   wall %7.2f us  x%.3f"):format(scheme, kind, c, c / cpu, w, w / wall))
    end
  end
  os.remove(bare)
end

if arg[1] == "worker" then
  worker(arg[2], arg[3], tonumber(arg[4]), arg[5])
else
  local server = require("spec.support.raw_server").start()
  local ok, err = pcall(main, server, tonumber(arg[1]) or 5000, tonumber(arg[2]) or 5)
  server:stop()
  assert(ok, err)
end
