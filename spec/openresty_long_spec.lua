-- Twenty minutes of mixed load in nginx, with reloads, aborted requests and killed threads: memory and descriptors stay flat.
-- soak
-- runs-on: jit
-- takes: 1300
-- AUTHGEAR_LONG: seconds (1200); AUTHGEAR_PLOT: a file for the picture.
local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local plot = require "spec.support.plot"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local socket = require "socket"

local SECONDS = tonumber(os.getenv "AUTHGEAR_LONG" or "1200")
local RELOAD, SAMPLE, PAUSE = 120, 5, 0.1

local HTTP = [[
  lua_check_client_abort on;
  lua_shared_dict sessions 1m;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    client = assert(authgear.new {
      endpoint = "${endpoint}", client_id = "short",
      storage = authgear.storage { dict = "sessions", file = "${store}" },
    })
    service = assert(authgear.new { endpoint = "${endpoint}", client_id = "m2m", client_secret = "m2msecret" })
    function say(value, err)
      ngx.print(type(value) == "table" and value.status or tostring(err))
    end
  }
]]

local LOCATIONS = {
  ["/hello"] = [[ say(client:fetch "${app}/api/hello") ]],
  ["/big"] = [[ say(client:fetch "${app}/api/big?n=200000") ]],
  ["/upload"] = [[ say(client:fetch("${app}/api/upload", { body = ("x"):rep(50000) })) ]],
  ["/stream"] = [[ say(client:fetch("${app}/api/stream?n=5&ms=2&bytes=2000", { sink = function() end })) ]],
  ["/slow"] = [[ say(client:fetch "${app}/api/slow?ms=300") ]],
  ["/hang"] = [[ say(client:fetch("${app}/api/hang", { timeout = 0.2 })) ]],
  ["/machine"] = [[
    local machine, err = service:client_credentials { resource = "https://fixtureresource/1" }
    if not machine then
      return say(nil, err)
    end
    say(machine:fetch "${app}/api/hello")
  ]],
  ["/kill"] = [[
    local thread = ngx.thread.spawn(function() client:fetch "${app}/api/slow?ms=300" end)
    ngx.sleep(0.02)
    ngx.thread.kill(thread)
    ngx.print "200"
  ]],
}

local MIX = { { "/hello", 16 }, { "/machine", 8 }, { "/big", 2 }, { "/upload", 2 }, { "/stream", 2 }, { "/kill", 2 } }

describe("authgear.openresty, for twenty minutes", function()
  local dev, n, dir

  setup(function()
    dev = server.start()
    dir = sdk.temp_dir()
    local client = sdk.client(dev, { client_id = "short", storage = authgear.storage.file { dir = dir } })
    sdk.log_in(dev, client)
    client:close()
    n = nginx.start { workers = 2, level = "warn", http = HTTP, locations = LOCATIONS,
      values = { endpoint = dev.endpoint, app = dev.app, store = dir } }
  end)

  teardown(function()
    n:stop()
    dev:stop()
    files.remove(dir)
  end)

  local function abort(path)
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send("GET " .. path .. " HTTP/1.1\r\nHost: x\r\n\r\n")
    socket.sleep(0.02)
    conn:close()
  end

  local function sample(t)
    local kib, descriptors, threads = 0, 0, 0
    for _, pid in ipairs(n:workers()) do
      local status = files.read("/proc/" .. pid .. "/status") or ""
      kib = kib + tonumber(status:match "VmRSS:%s+(%d+)" or 0)
      threads = threads + tonumber(status:match "Threads:%s+(%d+)" or 0)
      descriptors = descriptors + #(files.list("/proc/" .. pid .. "/fd") or {})
    end
    return { t = t, mib = kib / 1024, descriptors = descriptors, threads = threads }
  end

  -- The mean of a value between two times, as parts of the whole.
  local function mean(samples, name, from, to)
    local sum, count = 0, 0
    for _, one in ipairs(samples) do
      if one.t >= from * SECONDS and one.t <= to * SECONDS then
        sum, count = sum + one[name], count + 1
      end
    end
    return sum / count
  end

  it("keeps its memory and its descriptors flat", function()
    local began, answered = core.now(), 0
    local samples, reload_at, sample_at = {}, RELOAD, 0
    while core.now() - began < SECONDS do
      local elapsed = core.now() - began
      for _, one in ipairs(MIX) do
        for _, answer in ipairs(http.many({ url = n.url .. one[1] }, one[2])) do
          assert.equal("200", answer.body or answer.err, one[1])
          answered = answered + 1
        end
      end
      abort "/slow"
      abort "/hello"
      assert.truthy(n:get("/hang").body:find "^timeout")
      if elapsed >= reload_at then
        reload_at = elapsed + RELOAD
        n:reload()
      elseif elapsed >= sample_at then
        sample_at = elapsed + SAMPLE
        samples[#samples + 1] = sample(elapsed)
      end
      core.sleep(PAUSE)
    end
    local picture = os.getenv "AUTHGEAR_PLOT"
    if picture then
      files.write(picture, plot.svg(samples, { { "mib", "resident memory of both workers, MiB, over minutes" },
        { "descriptors", "descriptors of both workers" } }))
    end
    print(("%d answers; %.1f MiB, %.1f descriptors early, %.1f and %.1f late"):format(answered,
      mean(samples, "mib", 0.25, 0.5), mean(samples, "descriptors", 0.25, 0.5), mean(samples, "mib", 0.75, 1),
      mean(samples, "descriptors", 0.75, 1)))
    assert.truthy(mean(samples, "mib", 0.75, 1) < 1.15 * mean(samples, "mib", 0.25, 0.5))
    assert.truthy(mean(samples, "descriptors", 0.75, 1) < 4 + 1.1 * mean(samples, "descriptors", 0.25, 0.5))
    assert.same({}, n:errors())
  end)
end)
