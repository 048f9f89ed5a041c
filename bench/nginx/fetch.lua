-- runs-on: jit
-- fetch in the light threads of one nginx worker, beside an ordinary HTTP/1.1 client on cosockets that keeps its connections
-- (spec/support/cosocket_http.lua): requests a second, the slowest in a hundred, and what the event loop spends on each. The
-- other side is an nginx too. Interleaved rounds, medians of the ratios of neighbours. And the same two as gateways, which answer
-- with what they have fetched, beside nginx's own proxy_pass.
-- Usage: fetch.lua [ROUNDS [SECONDS-PER-TURN]]
local nginx = require "spec.support.nginx"
local support = require "bench.support"

local ROUNDS, TURN = tonumber(arg[1]) or 7, tonumber(arg[2]) or 0.4

local function certificate()
  local key, cert = support.dir .. "/key.pem", support.dir .. "/cert.pem"
  support.capture(("openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=bench "
    .. "-addext subjectAltName=IP:127.0.0.1,DNS:127.0.0.1 -keyout %s -out %s 2> /dev/null"):format(key, cert))
  return cert, key
end

local UPSTREAM = [[
  listen 127.0.0.1:${tls_port} ssl;
  ssl_certificate ${cert};
  ssl_certificate_key ${key};
  keepalive_requests 1000000000;
  default_type application/json;
  location = /200 { return 200 "{\"data\":\"${data}\"}"; }
  location = /65536 { root ${files}; }
]]

local function start_upstream(cert, key)
  local port = nginx.free_port()
  local file = assert(io.open(support.dir .. "/65536", "wb"))
  file:write(("x"):rep(65536))
  file:close()
  local upstream = nginx.start { server = UPSTREAM, level = "error", http = "open_file_cache max=10; large_client_header_buffers 4 16k;",
    values = { tls_port = port, cert = cert, key = key, files = support.dir, data = ("x"):rep(189) } }
  return upstream, { http = upstream.url, https = "https://127.0.0.1:" .. port }
end

local function start_client(cert)
  return nginx.start { level = "error", main = "env BENCH_CA=" .. cert .. ";",
    http = "lua_ssl_trusted_certificate " .. cert .. "; lua_socket_pool_size 256; init_by_lua_block { require 'authgear.openresty' }",
    locations = { ["/run"] = [[
      local a = ngx.req.get_uri_args()
      local ok, said = pcall(require("bench.nginx.drive").run, a.kind, a.url, tonumber(a.at_once), tonumber(a.count))
      ngx.status = ok and 200 or 500
      ngx.print(said)
    ]] } }
end

local GATEWAY = [[
  keepalive_requests 1000000000;
  location = /proxy_pass {
    proxy_http_version 1.1;
    proxy_set_header Connection "";
    proxy_set_header Authorization "Bearer ${token}";
    proxy_pass http://upstream/200;
  }
  location = /fetch { content_by_lua_block { require("bench.nginx.drive").answer("sdk", "${url}/200") } }
  location = /cosocket { content_by_lua_block { require("bench.nginx.drive").answer("cosocket", "${url}/200") } }
  location = /cpu { content_by_lua_block { ngx.print(require("bench.nginx.drive").cpu()) } }
]]

local function start_gateway(url)
  return nginx.start { level = "error", server = GATEWAY, http = "lua_socket_pool_size 256; upstream upstream { server "
    .. url:match "//(.*)$" .. "; keepalive 256; } init_by_lua_block { require 'authgear.openresty' }",
    values = { url = url, token = require("bench.session").token() } }
end

local NAMES = { "rate", "p50", "p99", "loop", "process", "bytes" }

local function measure(client, kind, url, at_once, count)
  local answer = assert(client:get(("/run?kind=%s&url=%s&at_once=%d&count=%d"):format(kind, url, at_once, count), nil,
    { timeout = 300 }))
  assert(answer.status == 200, answer.body)
  local figures, i = {}, 0
  for word in answer.body:gmatch "%S+" do
    i = i + 1
    figures[NAMES[i]] = tonumber(word)
  end
  return figures
end

local function medians(list)
  local out = {}
  for _, name in ipairs(NAMES) do
    local values = {}
    for i, figures in ipairs(list) do
      values[i] = figures[name]
    end
    out[name] = support.median(values)
  end
  return out
end

-- One cell: the medians of each client, and of the ratios in each round.
local function cell(client, url, at_once)
  local count = {}
  for _, kind in ipairs { "sdk", "cosocket" } do
    measure(client, kind, url, at_once, 200)
    count[kind] = math.max(math.ceil(measure(client, kind, url, at_once, 400).rate * TURN), 200)
  end
  local all, ratios = { sdk = {}, cosocket = {} }, {}
  for round = 1, ROUNDS do
    local order = round % 2 == 0 and { "sdk", "cosocket" } or { "cosocket", "sdk" }
    local now = {}
    for _, kind in ipairs(order) do
      now[kind] = measure(client, kind, url, at_once, count[kind])
      table.insert(all[kind], now[kind])
    end
    local ratio = {}
    for _, name in ipairs(NAMES) do
      ratio[name] = now.sdk[name] / now.cosocket[name]
    end
    ratios[round] = ratio
  end
  return medians(all.sdk), medians(all.cosocket), medians(ratios)
end

local function cpu(gateway)
  local loop, process = gateway:get("/cpu").body:match "(%S+) (%S+)"
  return tonumber(loop), tonumber(process)
end

-- Gateways, 64 requests at once by the client on cosockets.
local function gateways(client, gateway)
  local kinds, all = { "proxy_pass", "fetch", "cosocket" }, {}
  for _, kind in ipairs(kinds) do
    measure(client, "cosocket", gateway.url .. "/" .. kind, 64, 400)
    all[kind] = { rate = {}, loop = {}, process = {} }
  end
  for _ = 1, ROUNDS do
    for _, kind in ipairs(kinds) do
      local loop, process = cpu(gateway)
      local figures = measure(client, "cosocket", gateway.url .. "/" .. kind, 64, 3000)
      local loop_now, process_now = cpu(gateway)
      table.insert(all[kind].rate, figures.rate)
      table.insert(all[kind].loop, (loop_now - loop) / 3000 * 1e6)
      table.insert(all[kind].process, (process_now - process) / 3000 * 1e6)
    end
  end
  local rows = { { "gateway, http, 200 bytes, 64 at once", "requests/s", "of proxy_pass", "loop us", "process us" } }
  local most = support.median(all.proxy_pass.rate)
  for _, kind in ipairs(kinds) do
    local rate = support.median(all[kind].rate)
    rows[#rows + 1] = { kind, ("%.0f"):format(rate), ("%.2f"):format(rate / most),
      ("%.1f"):format(support.median(all[kind].loop)), ("%.1f"):format(support.median(all[kind].process)) }
  end
  support.table(rows)
end

support.run(function()
  local cert, key = certificate()
  local upstream, urls = start_upstream(cert, key)
  local client = start_client(cert)
  local rows, worst = { { "", "fetch/s", "cosocket/s", "ratio", "p99 ms", "cosocket", "ratio", "loop us", "cosocket", "ratio",
    "process us", "cosocket" } }, { rate = math.huge, p99 = 0, loop = 0 }
  for _, scheme in ipairs { "http", "https" } do
    for _, size in ipairs { 200, 65536 } do
      for _, at_once in ipairs { 16, 64 } do
        local sdk, other, ratio = cell(client, urls[scheme] .. "/" .. size, at_once)
        assert(sdk.bytes == other.bytes and sdk.bytes == size, ("not the same answers: %d %d"):format(sdk.bytes, other.bytes))
        rows[#rows + 1] = { ("%s, %d bytes, %d at once"):format(scheme, size, at_once), ("%.0f"):format(sdk.rate),
          ("%.0f"):format(other.rate), ("%.2f"):format(ratio.rate), ("%.2f"):format(sdk.p99 * 1e3),
          ("%.2f"):format(other.p99 * 1e3), ("%.2f"):format(ratio.p99), ("%.1f"):format(sdk.loop * 1e6),
          ("%.1f"):format(other.loop * 1e6), ("%.2f"):format(ratio.loop), ("%.1f"):format(sdk.process * 1e6),
          ("%.1f"):format(other.process * 1e6) }
        worst.rate = math.min(worst.rate, ratio.rate)
        worst.p99, worst.loop = math.max(worst.p99, ratio.p99), math.max(worst.loop, ratio.loop)
      end
    end
  end
  support.table(rows)
  support.bound("requests a second, ratio in the worst cell", worst.rate, "%.2f", 1, worst.rate >= 1)
  support.bound("p99, ratio in the worst cell", worst.p99, "%.2f", 1.2)
  support.bound("event loop's CPU time a request, ratio in the worst cell", worst.loop, "%.2f", 0.5)
  local gateway = start_gateway(urls.http)
  gateways(client, gateway)
  gateway:stop()
  client:stop()
  upstream:stop()
end)
