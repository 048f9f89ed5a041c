-- part
-- One client of the benches in a process of its own: the same request over and over, each kind by another library.
-- Usage: worker.lua KIND URL-OF-SERVER CA-FILE ACCESS-TOKEN USER-AGENT. Reads commands, a line each:
-- a number: that many requests; prints CPU and wall clock in us per request. "echo": prints what a request looks like. "quit".
local gettime = require("socket").gettime

local makers = {}

-- authgear.fetch in a session that is as good as new, kept in memory or in a file.
local function fetch_with(storage)
  return function(_, ca, token, user_agent)
    local client = require("bench.session").client(token, { storage = storage, ca_file = ca, user_agent = user_agent })
    return function(target)
      return assert(client:fetch(target)).body
    end
  end
end

makers.fetch = fetch_with("memory")

function makers.fetch_file(...)
  local dir = assert(os.getenv("BENCH_DIR"))
  return fetch_with(require("authgear").storage.file { dir = dir })(...)
end

-- The transport under it, alone.
function makers.transport(_, ca, token, user_agent)
  local transport = require("authgear.transport.curl").new { ca_file = ca }
  local headers = "User-Agent: " .. user_agent .. "\r\nAuthorization: Bearer " .. token .. "\r\n"
  return function(target)
    return assert(transport:send { method = "GET", url = target, headers = headers, timeout = 60,
      connect_timeout = 15, max_body = 64 * 1024 * 1024, secret = true }).body
  end
end

-- Lua-cURL as Debian has it: a handle that is kept, as in bare_curl.
function makers.luacurl(_, ca, token, user_agent)
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
  return function(target)
    parts = {}
    c:setopt(curl.OPT_URL, target)
    assert(c:perform())
    return table.concat(parts)
  end
end

-- A socket for luasocket's http that is connected once and never closed: it has no kept connections of its own.
local function kept(connect)
  local sock
  local function ok()
    return 1
  end
  local conn = { settimeout = ok, close = ok }
  function conn.connect(_, host, port)
    sock = sock or connect(host, port)
    return 1
  end
  for _, name in ipairs { "send", "receive", "getfd", "dirty" } do
    conn[name] = function(_, ...)
      return sock[name](sock, ...)
    end
  end
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

-- luasocket and luasec with a connection that is kept by hand; they have no way of their own to keep one.
function makers.luasocket_kept(url, ca, token, user_agent)
  local http, ltn12 = require "socket.http", require "ltn12"
  local create = kept(connector(url:match("^%a+"), ca))
  return function(target)
    local parts = {}
    assert(http.request { url = target, sink = ltn12.sink.table(parts), create = create, headers = {
      ["user-agent"] = user_agent, authorization = "Bearer " .. token, accept = "*/*", connection = "keep-alive" } })
    return table.concat(parts)
  end
end

-- The same as they are: a connection for each request. luasec's https.request checks no certificate unless told to.
function makers.luasocket(url, ca, token, user_agent)
  local http, ltn12 = require(url:match("^https:") and "ssl.https" or "socket.http"), require "ltn12"
  return function(target)
    local parts = {}
    assert(http.request { url = target, sink = ltn12.sink.table(parts), verify = "peer", cafile = ca, headers = {
      ["user-agent"] = user_agent, authorization = "Bearer " .. token, accept = "*/*" } })
    return table.concat(parts)
  end
end

local function run(request, n)
  local small = arg[2] .. "/small"
  local cpu, wall = os.clock(), gettime()
  for _ = 1, n do
    request(small)
  end
  print(("%.3f %.3f"):format((os.clock() - cpu) * 1e6 / n, (gettime() - wall) * 1e6 / n))
end

local request = makers[arg[1]](arg[2], arg[3], arg[4], arg[5])
for line in io.lines() do
  if line == "echo" then
    io.write(request(arg[2] .. "/echo"), "\r\n")
  elseif line == "quit" then
    break
  else
    run(request, tonumber(line))
  end
  io.flush()
end
