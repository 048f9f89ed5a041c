-- runs-on: jit
-- protect{} in front of proxy_pass when the token is known: requests a second of one nginx worker, beside the same location without it
-- and beside auth_request with proxy_cache in front of the resolver. Interleaved rounds, medians of the ratios of neighbours; and what
-- the worker's processor spends on each request.
-- Usage: protect.lua [ROUNDS [SECONDS-PER-TURN]]
local nginx = require "spec.support.nginx"
local server = require "spec.support.server"
local support = require "bench.support"

local ROUNDS, TURN, AT_ONCE = tonumber(arg[1]) or 15, tonumber(arg[2]) or 0.4, 32

local HTTP = [[
  keepalive_requests 1000000000;
  lua_shared_dict authgear 4m;
  proxy_cache_path ${files}/cache keys_zone=answers:4m;
  init_worker_by_lua_block {
    local authgear = require "authgear.openresty"
    jwt = authgear.protect { endpoint = "${endpoint}", mode = "jwt" }
    bare = authgear.protect { endpoint = "${endpoint}", mode = "jwt", request_headers = false }
    resolver = authgear.protect { endpoint = "${endpoint}", mode = "resolver", resolver_ttl = 3600 }
  }
  upstream nothing { server 127.0.0.1:${nothing}; keepalive 64; keepalive_requests 1000000000; }
  upstream application { server 127.0.0.1:${application}; keepalive 64; keepalive_requests 1000000000; }
]]

local EVERYWHERE = [[
  proxy_http_version 1.1;
  proxy_set_header Connection "";
]]

local ASK = [[
  location = /ask {
    internal;
    proxy_pass ${resolver}/resolve;
    proxy_pass_request_body off;
    proxy_set_header Content-Length "";
    proxy_set_header Host ${host};
    proxy_cache answers;
    proxy_cache_key $http_authorization;
    proxy_cache_valid 200 1h;
    proxy_ignore_headers Cache-Control Set-Cookie;
  }
]]

-- In front of one upstream.
local LOCATION = [[
  location = /${up}/without { proxy_pass http://${up}; }
  location = /${up}/jwt { access_by_lua_block { jwt() } proxy_pass http://${up}; }
  location = /${up}/bare { access_by_lua_block { bare() } proxy_pass http://${up}; }
  location = /${up}/resolver { access_by_lua_block { resolver() } proxy_pass http://${up}; }
  location = /${up}/auth_request {
    auth_request /ask;
    auth_request_set $user $upstream_http_x_authgear_user_id;
    proxy_set_header Connection "";
    proxy_set_header X-Authgear-User-Id $user;
    proxy_pass http://${up};
  }
]]

-- One upstream that does nothing at all, which is the hardest to stand in front of, and the smallest application: it reads who is
-- calling and writes a JSON document of 1 KB.
local NOTHING = "keepalive_requests 1000000000; location / { return 200 '" .. ("x"):rep(200) .. "'; }"
local APPLICATION = [[
  keepalive_requests 1000000000;
  location / { content_by_lua_block {
    local items = {}
    for i = 1, 20 do
      items[i] = ('{"id":%d,"name":"item %d","owner":"%s"}'):format(i, i, ngx.var.http_x_authgear_user_id or "")
    end
    local body = '{"items":[' .. table.concat(items, ",") .. "]}"
    ngx.header["Content-Type"], ngx.header["Content-Length"] = "application/json", #body
    ngx.print(body)
  } }
]]
local LOCATIONS = { "without", "jwt", "bare", "resolver", "auth_request" }
local NAMES = { without = "proxy_pass alone", jwt = "protect, jwt", bare = "protect, jwt, no headers for the upstream",
  resolver = "protect, resolver", auth_request = "auth_request, proxy_cache" }

-- Seconds that the worker's processor has spent on it.
local function cpu(pid)
  local file = assert(io.open("/proc/" .. pid .. "/schedstat"))
  local nanoseconds = file:read "*n"
  file:close()
  return nanoseconds / 1e9
end

local function start(dev)
  local nothing = nginx.start { server = NOTHING, level = "error" }
  local application = nginx.start { server = APPLICATION, level = "error" }
  local locations = LOCATION:gsub("${up}", "nothing") .. LOCATION:gsub("${up}", "application")
  local front = nginx.start { http = HTTP, server = EVERYWHERE .. ASK .. locations, level = "error", values = {
    endpoint = dev.endpoint, resolver = dev.resolver, host = dev.endpoint:match "//(.*)", nothing = nothing.port,
    application = application.port, files = support.dir } }
  return front, { nothing, application, front }
end

-- The medians of all locations in front of one upstream.
local function compare(up, measure)
  local figures = {}
  for _, location in ipairs(LOCATIONS) do
    measure("/" .. up .. "/" .. location, 0.5)
    figures[location] = { rate = {}, cpu = {}, ratio = {} }
  end
  for round = 1, ROUNDS do
    for i = 1, #LOCATIONS do
      local location = LOCATIONS[round % 2 == 0 and i or #LOCATIONS + 1 - i]
      local one = measure("/" .. up .. "/" .. location, TURN)
      table.insert(figures[location].rate, one.rate)
      table.insert(figures[location].cpu, one.cpu)
    end
    for _, location in ipairs(LOCATIONS) do
      figures[location].ratio[round] = figures[location].rate[round] / figures.without.rate[round]
    end
  end
  local rows = { { "in front of: " .. up, "requests/s", "ratio", "worker us" } }
  for _, location in ipairs(LOCATIONS) do
    local f = figures[location]
    rows[#rows + 1] = { NAMES[location], ("%.0f"):format(support.median(f.rate)), ("%.2f"):format(support.median(f.ratio)),
      ("%.1f"):format(support.median(f.cpu) * 1e6) }
  end
  support.table(rows)
  local worst = math.min(support.median(figures.jwt.ratio), support.median(figures.resolver.ratio))
  support.bound("protect in front of proxy_pass, ratio", worst, "%.2f", 0.9, worst >= 0.9)
  local other = support.median(figures.auth_request.ratio)
  support.bound("and more than auth_request gives", worst, "%.2f", other, worst > other)
end

support.run(function()
  local load = support.compile("nginx_load", "")
  local dev = server.start()
  local token = dev:session { client = "native", user = "bench" }.access_token
  local front, all = start(dev)
  local worker = nginx.wait("the worker", function() return front:workers()[1] end)
  local function measure(path, seconds)
    local before = cpu(worker)
    local said = support.capture(("%s %d %d %g %s %s"):format(load, front.port, AT_ONCE, seconds, path, token))
    local answers, bad = said:match "(%d+) (%d+)"
    assert(bad == "0" and tonumber(answers) > 0, path .. ": " .. bad .. " bad answers")
    return { rate = answers / seconds, cpu = (cpu(worker) - before) / answers }
  end
  compare("application", measure)
  compare("nothing", measure)
  for i = #all, 1, -1 do
    all[i]:stop()
  end
  dev:stop()
end)
