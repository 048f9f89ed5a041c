-- part
-- One client of the benches in a process of its own: the same request over and over, each kind by another library.
-- Usage: worker.lua KIND URL-OF-SERVER CA-FILE ACCESS-TOKEN USER-AGENT. Reads commands, a line each:
-- a number: that many requests; prints CPU and wall clock in us per request. "echo": prints what a request looks like. "quit".
local core = require "authgear.core"

local makers = {}

-- authgear.fetch in a session that is as good as new, kept in memory or in a file.
local function fetch_with(storage)
  return function(url, ca, token, user_agent)
    local client = require("bench.session").client(token, { storage = storage, ca_file = ca, user_agent = user_agent })
    return function(path)
      return assert(client:fetch(url .. path)).body
    end
  end
end

makers.fetch = fetch_with("memory")

function makers.fetch_file(...)
  local dir = assert(os.getenv("BENCH_DIR"))
  return fetch_with(require("authgear").storage.file { dir = dir })(...)
end

-- The transport under it, alone.
function makers.transport(url, ca, token, user_agent)
  local transport = require("authgear.transport.curl").new { ca_file = ca }
  local headers = "User-Agent: " .. user_agent .. "\r\nAuthorization: Bearer " .. token .. "\r\n"
  return function(path)
    return assert(transport:send { method = "GET", url = url .. path, headers = headers, timeout = 60,
      connect_timeout = 15, max_body = 64 * 1024 * 1024, secret = true }).body
  end
end

-- Lua-cURL as Debian has it: a handle that is kept, as in bare_curl.
function makers.luacurl(url, ca, token, user_agent)
  local curl = require "curl"
  local c, parts = curl.easy_init(), nil
  c:setopt(curl.OPT_HTTPHEADER, { "User-Agent: " .. user_agent, "Authorization: Bearer " .. token })
  c:setopt(curl.OPT_ACCEPT_ENCODING, "")
  c:setopt(curl.OPT_CAINFO, ca)
  c:setopt(curl.OPT_PROXY, "")
  c:setopt(curl.OPT_WRITEFUNCTION, function(bytes)
    parts[#parts + 1] = bytes
    return #bytes
  end)
  return function(path)
    parts = {}
    c:setopt(curl.OPT_URL, url .. path)
    assert(c:perform())
    return table.concat(parts)
  end
end

-- A socket for luasocket's http that is connected once and never closed: it has no kept connections of its own.
local function kept(connect)
  local sock
  local conn = {}
  function conn:connect(host, port)
    sock = sock or connect(host, port)
    return 1
  end
  function conn:settimeout() return 1 end
  function conn:close() return 1 end
  function conn:send(...) return sock:send(...) end
  function conn:receive(...) return sock:receive(...) end
  function conn:getfd() return sock:getfd() end
  function conn:dirty() return sock:dirty() end
  return function()
    return conn
  end
end

local function connector(scheme, ca)
  local socket = require "socket"
  return function(host, port)
    local sock = assert(socket.connect(host, port))
    sock:setoption("tcp-nodelay", true)
    if scheme == "https" then
      local ssl = require "ssl"
      sock = assert(ssl.wrap(sock, { mode = "client", protocol = "any", verify = "peer", cafile = ca,
        options = { "all", "no_sslv2", "no_sslv3", "no_tlsv1", "no_tlsv1_1" } }))
      assert(sock:dohandshake())
    end
    return sock
  end
end

local function luasocket_with(create)
  local http, ltn12 = require "socket.http", require "ltn12"
  return function(url, ca, token, user_agent)
    local make = create(url:match("^%a+"), ca)
    return function(path)
      local parts = {}
      assert(http.request { url = url .. path, sink = ltn12.sink.table(parts), create = make, headers = {
        ["user-agent"] = user_agent, authorization = "Bearer " .. token, accept = "*/*",
        connection = make and "keep-alive" or nil } })
      return table.concat(parts)
    end
  end
end

function makers.luasocket(...)
  return luasocket_with(function(scheme, ca)
    return kept(connector(scheme, ca))
  end)(...)
end

local function run(request, n)
  local _, wall = core.now()
  local cpu = os.clock()
  for _ = 1, n do
    request("/small")
  end
  local cpu_end, _, wall_end = os.clock(), core.now()
  print(("%.3f %.3f"):format((cpu_end - cpu) * 1e6 / n, (wall_end - wall) * 1e6 / n))
end

local request = makers[arg[1]](arg[2], arg[3], arg[4], arg[5])
for line in io.lines() do
  if line == "echo" then
    io.write(request("/echo"), "\r\n")
  elseif line == "quit" then
    break
  else
    run(request, tonumber(line))
  end
  io.flush()
end
