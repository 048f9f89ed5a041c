-- nginx stopped at once (TERM) while a token request is out: its answer is read and stored before the worker ends. The server
-- rotates refresh tokens with no grace, so whoever loses an answer has lost the session.
-- runs-on: jit
-- takes: 12
local authgear = require "authgear"
local files = require "spec.support.files"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local socket = require "socket"

local HTTP = [[
  lua_shared_dict sessions 1m;
  lua_shared_dict notes 100k;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    function new_client(name, file, options)
      local all = { endpoint = "${endpoint}", client_id = "rotating", close_timeout = ${close_timeout}, name = name,
        storage = authgear.storage { dict = "sessions", file = file } }
      for key, value in pairs(options or {}) do
        all[key] = value
      end
      return assert(authgear.new(all))
    end
    client = new_client("default", "${store}", { ${more} })
    other = new_client("other", nil)
  }
]]

local LOG_IN = [[
  local client = %s
  local request = assert(client:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" })
  local visit = { json = { url = request.url }, authorization = false }
  local url = assert(client:fetch("${control}/visit", visit)):json().location
  ngx.shared.notes:set("begun", true)
  ngx.print(assert(client:finish_authentication(url)).sub)
]]

local LOCATIONS = {
  ["/log_in"] = LOG_IN:format "client",
  ["/log_in_other"] = LOG_IN:format "other",
  ["/begun"] = [[ ngx.print(tostring(ngx.shared.notes:get "begun")) ]],
  ["/hello"] = [[ ngx.print((assert(client:fetch("${app}/api/hello"))).status) ]],
  ["/refresh"] = [[ ngx.print(tostring(client:refresh_access_token())) ]],
  ["/other"] = [[ ngx.print((assert(other:fetch("${app}/api/hello"))).status) ]],
  ["/both"] = [[
    local one = ngx.thread.spawn(other.fetch, other, "${app}/api/hello")
    client:fetch("${app}/api/hello")
    ngx.thread.wait(one)
  ]],
}

describe("nginx that is stopped in the middle of a refresh", function()
  local dev, dir, running

  before_each(function()
    dev = server.shared()
    dir = sdk.temp_dir()
    running = {}
  end)

  after_each(function()
    for _, n in ipairs(running) do
      n:stop()
    end
    files.remove(dir)
  end)

  local function start(options)
    options = options or {}
    local n = nginx.start { workers = options.workers, http = HTTP, locations = LOCATIONS, values = {
      endpoint = dev.endpoint, app = dev.app, control = dev.control_url, store = dir, more = options.more or "",
      close_timeout = tostring(options.close_timeout or 5),
    } }
    running[#running + 1] = n
    return n
  end

  -- Sends a request and does not wait for its answer.
  local function send(n, path)
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send("GET " .. path .. " HTTP/1.1\r\nHost: x\r\n\r\n")
    return conn
  end

  local function rotated()
    return dev:token_count("refresh_token", "rotating").rotated
  end

  -- The server has rotated the token, and keeps the answer back for that long.
  local function refresh_slowly(n, path, ms, times)
    dev:expire {}
    dev:fault { target = "token", kind = "slow", ms = ms, when = "after", times = times or 1 }
    local before = rotated()
    send(n, path)
    nginx.wait("the rotation", function()
      return rotated() == before + (times or 1)
    end)
  end

  local function terminate(pid)
    files.sh(("kill -TERM %d"):format(pid))
    nginx.wait("its end", function()
      return not nginx.is_alive(pid)
    end)
  end

  local function ended_well(n)
    assert.falsy(n:log():find("exited on signal", 1, true))
  end

  for what, more in pairs { ["a session"] = "", ["a session of bound tokens"] = "dpop = true" } do
    it("stores the answer in the file: " .. what .. " goes on after the restart", function()
      local n = start { more = more }
      n:get "/log_in"
      local record = files.read(sdk.record_path(dir))
      refresh_slowly(n, "/hello", 600)
      assert.equal(record, files.read(sdk.record_path(dir)))
      terminate(n.pid)
      assert.not_equal(record, files.read(sdk.record_path(dir)))
      ended_well(n)
      n = start { more = more }
      assert.equal("200", n:get("/hello").body)
      assert.equal("true", n:get("/refresh").body)
      assert.equal(2, rotated())
      assert.equal(0, dev:token_count("refresh_token", "rotating").failed)
    end)
  end

  it("stores it in the dict, where one worker ends and others stay", function()
    local n = start { workers = 2 }
    n:get "/log_in_other"
    refresh_slowly(n, "/other", 600)
    for _, pid in ipairs(n:workers()) do -- whichever it is
      terminate(pid)
    end
    nginx.wait("a new worker", function()
      local answer = n:get "/other"
      return answer and answer.body == "200"
    end)
    assert.equal(1, rotated())
    assert.equal(0, dev:token_count("refresh_token", "rotating").failed)
    ended_well(n)
  end)

  it("stores those of several clients", function()
    local n = start()
    n:get "/log_in"
    n:get "/log_in_other"
    refresh_slowly(n, "/both", 600, 2)
    terminate(n:workers()[1])
    nginx.wait("a new worker", function()
      local answer = n:get "/other"
      return answer and answer.body == "200"
    end)
    assert.equal("200", n:get("/hello").body)
    assert.equal(2, rotated())
    assert.equal(0, dev:token_count("refresh_token", "rotating").failed)
    ended_well(n)
  end)

  it("stores the session of a log-in whose code has been exchanged", function()
    local n = start()
    dev:fault { target = "token", kind = "slow", ms = 600, when = "after" }
    send(n, "/log_in")
    nginx.wait("the exchange", function()
      return dev:token_count("authorization_code", "rotating").ok == 1
    end)
    terminate(n.pid)
    ended_well(n)
    local client = assert(authgear.new { endpoint = dev.endpoint, client_id = "rotating", storage = authgear.storage.file { dir = dir } })
    assert.equal("AUTHENTICATED", client:session_state())
    assert(client:refresh_access_token())
  end)

  it("calls nothing of the program's meanwhile", function()
    local n = start { more = [[
      log = function(level, message) ngx.log(ngx.WARN, "said: ", message) end,
      on_session_state_change = function(_, state) ngx.log(ngx.WARN, "heard: ", state) end
    ]] }
    n:get "/log_in"
    local _, heard = n:log():gsub("heard: ", "")
    assert.truthy(n:log():find("heard: AUTHENTICATED", 1, true))
    dev:expire {}
    dev:fault { target = "token", kind = "slow", ms = 600 }
    send(n, "/hello")
    nginx.wait("the request", function()
      return dev:token_count("refresh_token", "rotating").requests == 1
    end)
    dev:revoke {}
    terminate(n.pid)
    ended_well(n)
    assert.equal(heard, select(2, n:log():gsub("heard: ", "")))
  end)

  it("does not wait for an answer for ever", function()
    local n = start { close_timeout = 0.2 }
    n:get "/log_in"
    dev:expire {}
    dev:fault { target = "token", kind = "hang" }
    send(n, "/hello")
    nginx.wait("the request", function()
      return dev:token_count("refresh_token", "rotating").requests == 1
    end)
    terminate(n:workers()[1])
    ended_well(n)
  end)

  it("waits for nothing else", function()
    local n = start { close_timeout = 3000 }
    n:get "/log_in"
    assert.equal("200", n:get("/hello").body)
    terminate(n:workers()[1])
    ended_well(n)
  end)
end)
