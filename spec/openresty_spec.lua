-- The client inside a real nginx: light threads, phases where nothing can wait, what becomes of aborted requests, killed
-- threads, reloads and quits.
-- runs-on: jit
-- takes: 25
local authgear = require "authgear"
local files = require "spec.support.files"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local socket = require "socket"

local HTTP = [[
  lua_shared_dict sessions 1m;
  lua_shared_dict notes 1m;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    current = require "authgear.current"
    function new_client(options)
      local all = { endpoint = "${endpoint}", client_id = "${client_id}", connect_timeout = 5,
        storage = authgear.storage { dict = "sessions", file = "${store}" } }
      for name, value in pairs(options or {}) do
        all[name] = value
      end
      return assert(authgear.new(all))
    end
    client = new_client()
    function said(value, err)
      if type(value) == "table" then
        return value.status
      end
      return value ~= nil and tostring(value) or err and err.code or "nil"
    end
    function note(where)
      ngx.shared.notes:set(where, ("%s %s %s %s %s"):format(client:session_state(),
        client:access_token() and "token" or "none", said(client:refresh_access_token_if_needed()),
        said(client:fetch "${app}/api/hello"), said(client:fetch_user_info())))
    end
    ${init}
  }
]]

local LOCATIONS = {
  ["/hello"] = [[ ngx.print(said(client:fetch "${app}/api/hello")) ]],
  ["/slow"] = [[ ngx.print(said(client:fetch("${app}/public/slow?ms=" .. (ngx.var.arg_ms or 1000)))) ]],
  ["/hang"] = [[ ngx.print(said(client:fetch("${app}/public/hang", { timeout = tonumber(ngx.var.arg_s) }))) ]],
  ["/running"] = [[
    collectgarbage()
    collectgarbage()
    ngx.print(current.engine and current.engine:running() or 0)
  ]],
  ["/many"] = [[
    local threads, good = {}, 0
    for i = 1, 64 do
      threads[i] = ngx.thread.spawn(function()
        for _ = 1, 5 do
          local response, err = client:fetch("${app}/public/echo", { query = { n = i } })
          if response and response:json().query.n == tostring(i) then
            good = good + 1
          else
            ngx.say(tostring(err))
          end
        end
      end)
    end
    for i = 1, 64 do
      ngx.thread.wait(threads[i])
    end
    ngx.print(good)
  ]],
  ["/kill"] = [[
    local thread = ngx.thread.spawn(function()
      client:fetch("${app}" .. ngx.unescape_uri(ngx.var.arg_path))
    end)
    ngx.sleep(tonumber(ngx.var.arg_after))
    ngx.print(tostring(ngx.thread.kill(thread)))
  ]],
  ["/cancel"] = [[
    local over = false
    ngx.thread.spawn(function() ngx.sleep(0.1) over = true end)
    ngx.print(said(client:fetch("${app}/public/hang", { cancelled = function() return over end })))
  ]],
  ["/machines"] = [[
    local threads, good, why = {}, 0, nil
    for i = 1, 40 do
      threads[i] = ngx.thread.spawn(function()
        local machine = new_client { client_id = "m2m", client_secret = "m2msecret", storage = "memory" }
        local ok, err = machine:client_credentials { resource = "https://fixtureresource/1" }
        good, why = good + (ok and 1 or 0), err or why
      end)
    end
    for i = 1, 40 do
      ngx.thread.wait(threads[i])
    end
    ngx.print(good, " ", tostring(why))
  ]],
  ["/stream"] = [[
    local n = 0
    local response, err = client:fetch("${app}/public/stream?n=20&ms=5&bytes=1000", { sink = function(piece)
      n = n + #piece
      ngx.sleep(0.001)
    end })
    ngx.print(said(response, err), " ", n)
  ]],
  ["/doctor"] = [[
    local findings, well = authgear.doctor { endpoint = "${endpoint}", client_id = "${client_id}",
      storage = authgear.storage { dict = "sessions", file = "${store}" } }
    local said = {}
    for i, finding in ipairs(findings) do
      said[i] = finding.check .. ":" .. finding.status
    end
    ngx.print(tostring(well), " ", table.concat(said, " "))
  ]],
  ["/upload"] = [[
    local left = 10
    local response = assert(client:fetch("${app}/api/upload", { body = function()
      left = left - 1
      ngx.sleep(0.001)
      return left >= 0 and ("x"):rep(1000) or nil
    end }))
    ngx.print(response.status, " ", response:json().bytes)
  ]],
}

local PHASES = [[
  location = /phases {
    set_by_lua_block $unused { note "set" return "" }
    rewrite_by_lua_block { note "rewrite" }
    access_by_lua_block { note "access" }
    content_by_lua_block {
      note "content"
      ngx.thread.wait(ngx.thread.spawn(note, "thread"))
      local wrapped = coroutine.wrap(note)
      wrapped "coroutine"
      ngx.say "x"
    }
    header_filter_by_lua_block { note "header_filter" }
    body_filter_by_lua_block { if not ngx.ctx.noted then ngx.ctx.noted = true note "body_filter" end }
    log_by_lua_block { note "log" }
  }
  location = /notes {
    content_by_lua_block { ngx.print(tostring(ngx.shared.notes:get(ngx.var.arg_where))) }
  }
]]

describe("authgear.openresty", function()
  local dev, dirs

  before_each(function()
    dev = server.shared()
    dirs = {}
  end)

  after_each(function()
    nginx.stop_all()
    for _, dir in ipairs(dirs) do
      files.remove(dir)
    end
  end)

  -- nginx with somebody logged in.
  local function start(options)
    options = options or {}
    local client_id = options.client_id or "rotating"
    local dir = sdk.temp_dir()
    dirs[#dirs + 1] = dir
    local client = sdk.client(dev, { client_id = client_id, storage = authgear.storage.file { dir = dir } })
    sdk.log_in(dev, client)
    local n = nginx.start {
      http = HTTP .. (options.http or ""), server = options.server, locations = LOCATIONS, workers = options.workers,
      code_cache = options.code_cache,
      values = { endpoint = dev.endpoint, app = dev.app, client_id = client_id, store = dir, init = options.init or "" },
    }
    n.token, n.record = client:access_token(), sdk.record_path(dir)
    client:close()
    return n
  end

  local function descriptors(pid)
    return #files.list("/proc/" .. pid .. "/fd")
  end

  -- Sends a request and hangs up after some time.
  local function abort(n, path, seconds)
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send("GET " .. path .. " HTTP/1.1\r\nHost: x\r\n\r\n")
    socket.sleep(seconds)
    conn:close()
  end

  local ABORT = "lua_check_client_abort on;"

  local function is_idle(n)
    return n:get("/running").body == "0"
  end

  it("fetches in light threads, any number at once, and leaves nothing behind", function()
    local n = start()
    assert.equal("320", n:get("/many").body)
    assert.equal("200", n:get("/hello").body)
    assert.equal("200 20000", n:get("/stream").body)
    assert.equal("200 10000", n:get("/upload").body)
    assert.equal("timeout", n:get("/hang?s=0.1").body)
    assert.matches("^true .* discovery:ok storage:ok session:ok .* loopback:ok$", n:get("/doctor").body)
    assert.equal("cancelled", n:get("/cancel").body)
    assert.equal("0", n:get("/running").body)
    n:quit(10)
    assert.same({}, n:errors())
  end)

  it("refreshes any number of tokens at once, whatever lua_max_running_timers is", function()
    local n = start { http = "lua_max_running_timers 4;" }
    dev:fault { target = "token", kind = "slow", ms = 500, times = 40 }
    assert.equal("40 nil", n:get("/machines").body)
    assert.same({}, n:errors())
  end)

  it("says in each phase what it can, and code 'phase' for what would have to wait", function()
    local n = start {
      server = PHASES, init = "note 'init'", http = [[
        init_worker_by_lua_block {
          note "init_worker"
          ngx.timer.at(0, function() note "timer" end)
        }
      ]],
    }
    assert.equal(200, n:get("/phases").status)
    local function noted(where)
      return nginx.wait(where, function()
        local text = n:get("/notes?where=" .. where).body
        return text ~= "nil" and text
      end)
    end
    for _, where in ipairs { "rewrite", "access", "content", "thread", "coroutine", "timer" } do
      assert.equal("AUTHENTICATED token true 200 table", (noted(where):gsub("nil$", "table")), where)
    end
    for _, where in ipairs { "init", "init_worker", "set", "header_filter", "body_filter", "log" } do
      assert.equal("AUTHENTICATED token true phase phase", noted(where), where)
    end
  end)

  it("ends what an aborted request began, and a killed thread", function()
    local n = start { http = ABORT }
    n:get "/hello"
    local before = descriptors(n:workers()[1])
    for _ = 1, 10 do
      abort(n, "/hang?s=100", 0.02)
      assert.equal("1", n:get("/kill?after=0.02&path=/public/hang").body)
    end
    nginx.wait("the end of what was begun", function()
      return is_idle(n)
    end)
    nginx.wait("their descriptors", function()
      return descriptors(n:workers()[1]) <= before + 2
    end)
    assert.equal("200", n:get("/hello").body)
    n:quit(10)
    assert.same({}, n:errors())
  end)

  it("doesn't wait at quit for what aborted requests began", function()
    local n = start { http = ABORT }
    abort(n, "/hang?s=100", 0.1)
    n:quit(15)
  end)

  for what, give_up in pairs {
    ["an aborted request"] = function(n)
      abort(n, "/hello", 0.3)
    end,
    ["a killed thread"] = function(n)
      n:get "/kill?after=0.3&path=/api/hello"
    end,
  } do
    it("finishes and stores a refresh that " .. what .. " began", function()
      local n = start { http = ABORT }
      dev:expire {}
      dev:fault { target = "token", kind = "slow", ms = 1500, when = "after" }
      local before = files.read(n.record)
      give_up(n)
      nginx.wait("the stored record", function()
        return files.read(n.record) ~= before
      end)
      assert.equal("200", n:get("/hello").body)
      assert.equal(1, sdk.refreshes(dev, "rotating"))
    end)
  end

  it("answers what is under way when it is reloaded, and no old worker stays", function()
    local n = start { workers = 2 }
    local conns = {}
    for i = 1, 4 do
      conns[i] = assert(socket.connect("127.0.0.1", n.port))
      conns[i]:send "GET /slow?ms=1500 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    end
    socket.sleep(0.3)
    local old = n:reload()
    assert.equal("200", n:get("/hello").body)
    for i = 1, 4 do
      assert.truthy(conns[i]:receive("*a"):find("\r\n200\r\n", 1, true))
    end
    nginx.wait("the end of the old workers", function()
      return not (nginx.is_alive(old[1]) or nginx.is_alive(old[2]))
    end)
    assert.same({}, n:errors())
  end)

  it("finishes a refresh that is under way when it is told to quit", function()
    local n = start()
    dev:expire {}
    dev:fault { target = "token", kind = "slow", ms = 1500, when = "after" }
    local before = files.read(n.record)
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send "GET /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    socket.sleep(0.3)
    n:quit(15)
    assert.truthy(conn:receive("*a"):find("\r\n200\r\n", 1, true))
    assert.not_equal(before, files.read(n.record))
  end)

  it("leaves no socket in the file system, whatever its end", function()
    local function sockets()
      return files.sh "ls -d ${TMPDIR:-/tmp}/authgear-* /dev/shm/authgear-* 2>/dev/null | wc -l"
    end
    local before = sockets()
    local n = start()
    assert.equal("200", n:get("/hello").body)
    assert.equal(before, sockets())
    n:kill_worker()
    nginx.wait("a new worker", function()
      local answer = n:get "/hello"
      return answer and answer.body == "200"
    end)
    assert.equal(before, sockets())
  end)

  it("works with lua_code_cache off, and nothing stays of a request", function()
    local n = start { code_cache = false }
    for _ = 1, 3 do
      assert.equal("200", n:get("/hello").body)
      assert.equal("320", n:get("/many").body)
    end
    nginx.wait("the end of all threads", function()
      return #files.list("/proc/" .. n:workers()[1] .. "/task") == 1
    end, 30)
    n:quit(10)
  end)

  it("asks the engine by itself where there is no place for a socket", function()
    local n = start { init = [[
      require "authgear.curl"
      debug.getregistry()["authgear.curl.engine"].__index.listen = function()
        return nil, "host", "no place"
      end
    ]] }
    assert.equal("200", n:get("/hello").body)
    assert.equal("320", n:get("/many").body)
    n:quit(10)
    assert.same({}, n:errors())
    local _, warnings = n:log():gsub("no socket to the engine, which is asked again and again instead: no place", "")
    assert.equal(1, warnings)
  end)

  it("takes an HTTP client on cosockets as its transport", function()
    local n = start { init = [[
      local http = require "spec.support.cosocket_http"
      client = new_client { transport = function(request)
        local one = http.new()
        one:set_timeout((request.timeout or 60) * 1000)
        local response, err = one:request_uri(request.url, { method = request.method, headers = request.headers,
          body = request.body, pool = request.fresh and "fresh" or nil, keepalive = not request.fresh })
        if not response then
          return nil, err
        end
        return { status = response.status, headers = response.headers, body = response.body }
      end }
    ]], server = PHASES }
    dev:expire {}
    for _, answer in ipairs(http.many({ url = n.url .. "/hello" }, 32)) do
      assert.equal("200", answer.body)
    end
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    assert.equal("0", n:get("/running").body) -- the engine was never needed
    n:get "/phases"
    assert.equal("AUTHENTICATED token true 200 nil", (n:get("/notes?where=access").body:gsub("table$", "nil")))
    assert.equal("AUTHENTICATED token true phase phase", n:get("/notes?where=header_filter").body)
  end)

  it("writes no token into the error log, not even at level debug", function()
    local n = start { server = PHASES }
    dev:expire {}
    n:get "/many"
    n:get "/phases"
    n:get "/hello"
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    local record = files.read(n.record)
    local log = n:log()
    assert.truthy(#log > 10000)
    for _, name in ipairs { "refresh_token", "access_token", "id_token" } do
      local token = record:match('"' .. name .. '":"([^"]+)"')
      if token then
        assert.falsy(log:find(token, 1, true), name)
        assert.falsy(log:find(token:sub(-40), 1, true), name)
      end
    end
    assert.falsy(log:find(n.token:sub(-40), 1, true))
    assert.falsy(log:find("Bearer ", 1, true))
  end)

  it("refuses what is for other hosts", function()
    local n = start { server = [[ location = /wrong { content_by_lua_block {
      for _, call in ipairs { function() authgear.async(print) end, function() authgear.update() end,
          function() authgear.new { host = {} } end, function() authgear.configure() end } do
        local ok, raised = pcall(call)
        ngx.say(tostring(ok), " ", raised)
      end
    } }
    ]] }
    local body = n:get("/wrong").body
    assert.truthy(body:find "authgear.async is for other hosts")
    assert.truthy(body:find "option 'host' is nginx here")
    assert.falsy(body:find "^true" or body:find "\ntrue")
    assert.falsy(pcall(require, "authgear.openresty")) -- outside nginx
  end)
end)
