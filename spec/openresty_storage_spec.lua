-- The session in a lua_shared_dict: shared by all workers, locked so that a killed one can't keep the lock, never lost
-- because the dict is full; with a file, also when nginx is started anew.
-- runs-on: jit
-- takes: 15
local authgear = require "authgear"
local files = require "spec.support.files"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local HTTP = [[
  header_filter_by_lua_block { ngx.header["X-Worker"] = ngx.worker.pid() }
  lua_shared_dict sessions ${size};
  lua_shared_dict notes 100k;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    client = assert(authgear.new {
      endpoint = "${endpoint}", client_id = "${client_id}",
      storage = authgear.storage { dict = "sessions", file = ${file} ${more} },
    })
  }
]]

local LOCATIONS = {
  ["/state"] = [[ ngx.print(client:session_state()) ]],
  ["/log_in"] = [[
    local request, why = client:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" }
    if not request then
      return ngx.print(tostring(why))
    end
    local visit = { json = { url = request.url }, authorization = false }
    local visited = assert(client:fetch("${control}/visit", visit))
    local user, err = client:finish_authentication(visited:json().location)
    ngx.print(user and user.sub or tostring(err))
  ]],
  ["/begin"] = [[
    local request = assert(client:start_authentication { redirect_uri = "http://127.0.0.1:8989/callback" })
    local visit = { json = { url = request.url }, authorization = false }
    ngx.shared.notes:set("callback", assert(client:fetch("${control}/visit", visit)):json().location)
  ]],
  ["/finish"] = [[
    local user, err = client:finish_authentication(ngx.shared.notes:get "callback")
    ngx.print(user and user.sub or tostring(err))
  ]],
  ["/hello"] = [[
    local response, err = client:fetch("${app}/api/hello")
    ngx.print(response and response.status or tostring(err))
  ]],
  ["/refresh"] = [[
    local ok, err = client:refresh_access_token()
    ngx.print(ok and "ok" or tostring(err))
  ]],
  ["/token"] = [[ ngx.print(tostring(client:access_token())) ]],
  ["/fetch_token"] = [[ client:fetch("${app}/api/hello") ngx.print(tostring(client:access_token())) ]],
  ["/log_out"] = [[ ngx.print(tostring(client:logout())) ]],
  ["/lock"] = [[
    local store = require("authgear.openresty.storage").open("sessions", nil, "default")
    ngx.print(tostring(store:try_lock()))
  ]],
  ["/fill"] = [[
    local dict, n = ngx.shared.sessions, 0
    for _, size in ipairs { 2048, 1000, 500, 250, 100, 50, 20, 1 } do
      repeat
        n = n + 1
        local ok = dict:safe_set("authgear:session:" .. n, ("x"):rep(size))
      until not ok
    end
    ngx.print(n)
  ]],
  ["/grow"] = [[
    local store = require("authgear.openresty.storage").open("sessions", nil, "default")
    local record = store:get()
    local ok, code, message = store:set(record .. (" "):rep(40000))
    ngx.print(tostring(ok), " ", tostring(code), " ", tostring(message), " ", tostring(store:get() == record))
  ]],
}

describe("authgear.openresty.storage", function()
  local dev

  before_each(function()
    dev = server.shared()
  end)

  after_each(nginx.stop_all)

  local function start(options)
    -- reuseport: whose turn it is depends on the port that a request comes from, so everybody's comes
    return nginx.start { workers = options.workers or 4, listen = "reuseport", http = HTTP, locations = LOCATIONS, values = {
      endpoint = dev.endpoint, app = dev.app, control = dev.control_url,
      client_id = options.client_id or "native", size = options.size or "1m",
      more = options.more or "", file = options.file and ("%q"):format(options.file) or "nil",
    } }
  end

  -- What each worker says, by its number.
  local function each_worker(n, path)
    local answers, count = {}, 0
    local want = #n:workers()
    nginx.wait("all workers", function()
      local answer = n:get(path)
      local pid = answer.headers["x-worker"]
      if pid and not answers[pid] then
        answers[pid], count = answer.body, count + 1
      end
      return count >= want
    end, 60)
    return answers
  end

  local function all_say(n, path, text)
    for pid, answer in pairs(each_worker(n, path)) do
      assert.equal(text, answer, "worker " .. pid)
    end
  end

  it("is one session for all workers, also after a reload", function()
    local n = start {}
    all_say(n, "/state", "NO_SESSION")
    n:get "/log_in"
    all_say(n, "/hello", "200")
    all_say(n, "/state", "AUTHENTICATED")
    local token = n:get("/token").body
    all_say(n, "/token", token)
    n:reload()
    all_say(n, "/state", "AUTHENTICATED")
    all_say(n, "/hello", "200")
    assert.equal("200", n:get("/hello").body)
    n:get "/log_out"
    all_say(n, "/hello", "401")
    all_say(n, "/state", "NO_SESSION")
    assert.equal(0, sdk.refreshes(dev))
  end)

  it("has one refresh for all workers", function()
    local n = start { client_id = "short" }
    n:get "/log_in"
    dev:expire {}
    local before = sdk.refreshes(dev, "short")
    local answers = http.many({ url = n.url .. "/hello" }, 64)
    for _, answer in ipairs(answers) do
      assert.equal("200", answer.body)
    end
    assert.equal(before + 1, sdk.refreshes(dev, "short"))
    assert.equal(4, #n:workers())
  end)

  it("has a lock that a killed worker can't keep", function()
    local n = start { workers = 2, client_id = "rotating" }
    n:get "/log_in"
    local holder = n:get("/lock")
    assert.equal("true", holder.body)
    assert.equal("false", n:get("/lock").body)
    assert.equal("false", n:get("/lock").body)
    n:kill_worker(tonumber(holder.headers["x-worker"]))
    nginx.wait("the lock", function()
      local answer = n:get "/lock"
      return answer and answer.body == "true"
    end)
    assert.equal("false", n:get("/lock").body)
  end)

  it("gives a clear error when the dict is full, and loses no session", function()
    local n = start { workers = 2, size = "100k", client_id = "rotating" }
    n:get "/log_in"
    n:get "/fill"
    assert.equal("ok", n:get("/refresh").body) -- the new record takes the old one's place
    all_say(n, "/hello", "200")
    local answer = n:get("/grow").body
    assert.truthy(answer:find("nil storage lua_shared_dict 'sessions' can't take the session: no memory;", 1, true), answer)
    assert.truthy(answer:find "true$", answer) -- the record is what it was
    assert.equal("ok", n:get("/refresh").body)
    all_say(n, "/hello", "200")
    local holder = n:get "/lock" -- a killed worker's lock is taken over in a full dict too
    assert.equal("true", holder.body)
    n:kill_worker(tonumber(holder.headers["x-worker"]))
    nginx.wait("the lock", function()
      local refreshed = n:get "/refresh"
      return refreshed and refreshed.body == "ok"
    end)
    n:get "/fill"
    assert.equal("ok", n:get("/refresh").body)
    n:get "/log_out"
    n:get "/begin"
    n:get "/fill"
    answer = n:get("/finish").body
    assert.truthy(answer:find("storage: lua_shared_dict 'sessions' can't take the session", 1, true), answer)
    n:get "/fill"
    answer = n:get("/log_in").body
    assert.truthy(answer:find("storage: lua_shared_dict 'sessions' can't take the log-in", 1, true), answer)
  end)

  it("forgets a session that nobody has used for as long as was said", function()
    local n = start { workers = 1, more = ", expires = 1.5" }
    n:get "/log_in"
    assert.equal("200", n:get("/hello").body)
    nginx.wait("its end", function()
      return n:get("/hello").body == "401"
    end)
    assert.equal("NO_SESSION", n:get("/state").body)
  end)

  it("moves a record to a larger place", function()
    local n = start { workers = 1 }
    n:get "/log_in"
    assert.equal("true nil nil false", n:get("/grow").body)
    all_say(n, "/state", "AUTHENTICATED")
  end)

  it("survives a restart with a file, and sees what other programs do to it", function()
    local dir = sdk.temp_dir()
    local n = start { file = dir, client_id = "rotating" }
    n:get "/log_in"
    all_say(n, "/hello", "200")
    assert.equal("ok", n:get("/refresh").body)
    n:quit()
    n = start { file = dir, client_id = "rotating" }
    all_say(n, "/state", "AUTHENTICATED")
    all_say(n, "/hello", "200")
    assert.equal("ok", n:get("/refresh").body)
    all_say(n, "/hello", "200")
    local other = assert(authgear.new { endpoint = dev.endpoint, client_id = "rotating",
      storage = authgear.storage.file { dir = dir } })
    assert.equal("AUTHENTICATED", other:session_state())
    assert(other:refresh_access_token())
    local token = other:access_token()
    nginx.wait("the other program's token", function()
      return n:get("/fetch_token").body == token
    end)
    assert.equal("ok", n:get("/refresh").body)
    assert(other:logout())
    nginx.wait("the other program's log-out", function()
      return n:get("/hello").body == "401"
    end)
    files.remove(dir)
  end)

  it("works with workers of another user than the master", function()
    if not (files.is_root() and files.read("/etc/passwd"):find("www-data", 1, true)) then
      return pending "needs root, and Debian's user www-data"
    end
    local dir = sdk.temp_dir()
    sdk.log_in(dev, (sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } })))
    files.sh("chown -R www-data", dir)
    local n = nginx.start {
      workers = 2, listen = "reuseport", http = HTTP:gsub("client = ", "} init_worker_by_lua_block { client = "),
      locations = LOCATIONS, values = { user = "user www-data;", endpoint = dev.endpoint, app = dev.app, client_id = "rotating",
        size = "1m", more = "", file = ("%q"):format(dir), control = "" },
    }
    all_say(n, "/state", "AUTHENTICATED")
    assert.equal("ok", n:get("/refresh").body)
    all_say(n, "/hello", "200")
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    files.remove(dir)
  end)

  it("names a dict that is not there", function()
    local n = nginx.start { http = 'lua_shared_dict one 1m; init_by_lua_block { authgear = require "authgear.openresty" }', locations = {
      ["/"] = [[ local _, raised = pcall(authgear.storage, { dict = "none" }) ngx.print(raised) ]],
      ["/both"] = [[ local _, raised = pcall(authgear.storage, { dict = "one", file = true, expires = 1 }) ngx.print(raised) ]],
      ["/file"] = [[ local _, raised = pcall(authgear.storage, { dict = "none", file = 1 }) ngx.print(raised) ]],
    } }
    assert.truthy(n:get("/").body:find("there is no 'lua_shared_dict none' in nginx.conf", 1, true))
    assert.truthy(n:get("/both").body:find("what is in a file does not expire", 1, true))
    assert.truthy(n:get("/file").body:find("option 'file' must be true, a directory, or what authgear.storage.file made", 1, true))
  end)
end)
