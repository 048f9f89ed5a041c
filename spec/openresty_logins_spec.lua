-- A log-in in two halves in nginx: what is pending waits in the lua_shared_dict, so the callback may come to any worker, and is
-- good for one of them, once.
-- runs-on: jit
-- takes: 8
local files = require "spec.support.files"
local http = require "spec.support.http"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

-- One client for each name that is asked for, so that each worker has its own and knows only what the dict tells it.
local HTTP = [[
  header_filter_by_lua_block { ngx.header["X-Worker"] = ngx.worker.pid() }
  lua_shared_dict sessions ${size};
  lua_shared_dict notes 1m;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    local core = require "authgear.core"
    local function ahead() return ngx.shared.notes:get "ahead" or 0 end
    local clock = {
      monotonic = function() return core.now() + ahead() end,
      wall = function() local _, wall = core.now() return wall + ahead() end,
    }
    local clients = {}
    function client()
      local name, id = ngx.var.arg_name or "default", ngx.var.arg_id or "native"
      local key = name .. " " .. id
      clients[key] = clients[key] or assert(authgear.new { endpoint = "${endpoint}", client_id = id,
        storage = authgear.storage { dict = "sessions", file = ${file} }, name = name, clock = clock, dpop = ngx.var.arg_dpop ~= nil,
        token_endpoint_auth_method = ngx.var.arg_method })
      return clients[key]
    end
    function said(value, err)
      return value == true and "ok" or value and (value.status or value.url or value.sub or "ok") or err.code .. ": " .. err.message
    end
  }
]]

local REDIRECT = '{ redirect_uri = "http://127.0.0.1:8989/callback" }'

local LOCATIONS = {
  ["/start"] = "ngx.print(said(client():start_authentication" .. REDIRECT .. "))",
  ["/prove"] = "ngx.print(said(client():start_reauthentication" .. REDIRECT .. "))",
  ["/finish"] = [[
    if tonumber(ngx.var.arg_but) == ngx.worker.pid() then
      return ngx.print "not here"
    end
    ngx.print(said(client():finish_authentication(ngx.unescape_uri(ngx.var.arg_url))))
  ]],
  ["/proved"] = [[ ngx.print(said(client():finish_reauthentication(ngx.unescape_uri(ngx.var.arg_url)))) ]],
  ["/begin"] = [[
    local url
    local user, err = client():authenticate { redirect_uris = { "http://127.0.0.1:8989/callback" }, ui = function(request)
      url = request.url
      return nil, "timeout"
    end }
    ngx.print(tostring(user), " ", err and err.code, " ", url)
  ]],
  ["/state"] = [[ ngx.print(client():session_state()) ]],
  ["/hello"] = [[ ngx.print(said(client():fetch("${app}/api/hello"))) ]],
  ["/refresh"] = [[ ngx.print(said(client():refresh_access_token())) ]],
  ["/ahead"] = [[ ngx.shared.notes:set("ahead", tonumber(ngx.var.arg_s)) ]],
  ["/free"] = [[ ngx.print(ngx.shared.sessions:free_space()) ]],
  ["/fill"] = [[
    local n = 0
    repeat
      n = n + 1
    until not ngx.shared.sessions:safe_set("x" .. n, ("x"):rep(tonumber(ngx.var.arg_size)))
  ]],
  ["/kept"] = [[
    for _, key in ipairs(ngx.shared.sessions:get_keys(0)) do
      if ngx.shared.sessions:llen(key) == 1 then
        ngx.print(key, "\n", ngx.shared.sessions:lpop(key))
      end
    end
  ]],
}

describe("a log-in in nginx, in two halves", function()
  local dev

  before_each(function()
    dev = server.shared()
  end)

  after_each(nginx.stop_all)

  local function start(options)
    options = options or {}
    return nginx.start { workers = options.workers or 4, listen = "reuseport", http = HTTP, locations = LOCATIONS, values = {
      endpoint = dev.endpoint, app = dev.app, size = options.size or "1m", file = options.file and ("%q"):format(options.file) or "nil",
    } }
  end

  local function escape(text)
    return (text:gsub("[^%w]", function(c)
      return ("%%%02X"):format(c:byte())
    end))
  end

  -- The first half: the callback's URL as an argument, and the worker that made it.
  local function begin(n, more, path)
    local answer = n:get((path or "/start") .. "?" .. (more or ""))
    assert.truthy(answer.body:find "^http", answer.body)
    return escape(dev:visit(answer.body).location), answer.headers["x-worker"]
  end

  -- The second half, in another worker than that one.
  local function finish_elsewhere(n, url, worker, more)
    return nginx.wait("another worker", function()
      local answer = n:get(("/finish?url=%s&but=%s&%s"):format(url, worker, more or ""))
      return answer.body ~= "not here" and answer.body
    end)
  end

  local function finish(n, url, more)
    return n:get(("/finish?url=%s&%s"):format(url, more or "")).body
  end

  local function codes()
    return dev:token_count("authorization_code", "native").requests
  end

  it("is finished in another worker than it was begun in", function()
    local n = start()
    local sub = dev:control("/users", { name = "user" }).sub
    for i = 1, 8 do
      local name = "name=user" .. i
      local url, worker = begin(n, name)
      assert.equal(sub, finish_elsewhere(n, url, worker, name))
      assert.equal("200", n:get("/hello?" .. name).body)
    end
    assert.same({}, n:errors())
  end)

  it("is finished once, however many workers get the callback at the same moment", function()
    local n = start()
    local before = codes()
    for i = 1, 10 do
      local url = begin(n)
      local good, bad = 0, 0
      for _, answer in ipairs(http.many({ url = n.url .. "/finish?url=" .. url }, 16)) do
        good = good + (answer.body:find "^no_login: " and 0 or 1)
        bad = bad + (answer.body:find "^no_login: " and 1 or 0)
      end
      assert.same({ 1, 15 }, { good, bad })
      assert.equal(before + i, codes())
    end
    assert.equal("200", n:get("/hello").body)
  end)

  it("outlives a reload and the death of the worker that began it", function()
    local n = start { workers = 2 }
    local one, two = begin(n), begin(n)
    n:reload()
    assert.falsy(finish(n, one):find ": ")
    for _, pid in ipairs(n:workers()) do
      n:kill_worker(pid)
    end
    nginx.wait("new workers", function()
      return n:get "/state"
    end)
    assert.falsy(finish(n, two):find ": ")
  end)

  it("works with a file, and with bound tokens whose key another worker made", function()
    local dir = sdk.temp_dir()
    local n = start { file = dir }
    local url, worker = begin(n, "dpop=1")
    assert.falsy(finish_elsewhere(n, url, worker, "dpop=1"):find ": ")
    assert.equal("200", n:get("/hello?dpop=1").body)
    assert.equal("ok", n:get("/refresh?dpop=1").body)
    files.remove(dir)
    local m = start()
    for i = 1, 4 do
      local name = ("dpop=1&name=user%d"):format(i)
      url, worker = begin(m, name)
      assert.falsy(finish_elsewhere(m, url, worker, name):find ": ")
      assert.equal("ok", m:get("/refresh?" .. name).body)
    end
  end)

  it("is nobody else's: not of another name, nor another kind, nor another client", function()
    local n = start()
    local url = begin(n, "name=one")
    assert.matches("^no_login: ", finish(n, url, "name=two"))
    assert.matches("^no_login: ", n:get("/proved?name=one&url=" .. url).body)
    assert.matches("^no_login: ", finish(n, url:gsub("state%%3D.", "state%%3D_", 1), "name=one"))
    assert.falsy(finish(n, url, "name=one"):find ": ")
    local proof = begin(n, "name=one", "/prove")
    assert.matches("^no_login: ", finish(n, proof, "name=one"))
    assert.falsy(n:get("/proved?name=one&url=" .. proof).body:find ": ")
    assert.matches("^no_login: ", n:get("/proved?name=one&url=" .. proof).body)
    local other = begin(n, "name=three")
    assert.matches("^no_login: ", finish(n, other, "name=three&id=short"))
    assert.falsy(finish(n, other, "name=three"):find ": ")
  end)

  it("ends after an hour", function()
    local n = start()
    local one, two = begin(n), begin(n)
    n:get "/ahead?s=3590"
    assert.falsy(finish(n, one):find ": ")
    n:get "/ahead?s=3610"
    assert.matches("^no_login: .*too long ago", finish(n, two))
    n:get "/ahead?s=0"
    assert.matches("^no_login: ", finish(n, two)) -- it is gone
  end)

  it("is forgotten when it is given up", function()
    local n = start()
    local answer = n:get("/begin").body
    local url = answer:match "^nil user_code (http.*)$"
    assert.truthy(url, answer)
    assert.matches("^no_login: ", finish(n, escape(dev:visit(url).location)))
  end)

  it("leaves the oldest behind when there are too many, and takes no more of the dict than its share", function()
    local n = start { workers = 2, size = "100k" }
    assert.falsy(finish(n, (begin(n))):find ": ")
    local free = tonumber(n:get("/free").body)
    local urls = {}
    for i = 1, 40 do
      urls[i] = begin(n, "name=user" .. i)
      assert.truthy(tonumber(n:get("/free").body) > free - 32 * 1024)
    end
    local good = 0
    for i = 40, 1, -1 do
      local user = finish(n, urls[i], "name=user" .. i)
      if user:find "^no_login: " or user:find "^storage: " then
        break
      end
      good = good + 1
    end
    assert.equal(6, good)
    assert.matches("^no_login: ", finish(n, urls[34], "name=user34"))
    assert.equal("200", n:get("/hello").body)
  end)

  it("cannot be begun when the dict is full, and costs no session", function()
    local n = start { workers = 2, size = "100k" }
    assert.falsy(finish(n, (begin(n))):find ": ")
    for _, size in ipairs { 2048, 200, 20, 1 } do
      n:get("/fill?size=" .. size)
    end
    assert.matches("^storage: lua_shared_dict 'sessions' can't take the log%-in: no memory; make it larger", n:get("/start?name=two").body)
    assert.equal("200", n:get("/hello").body)
    assert.equal("ok", n:get("/refresh").body)
  end)

  it("says nothing to whoever reads the dict or the log", function()
    local n = start { workers = 1 }
    local url = n:get("/start").body
    local state, redirect = url:match "[?&]state=([%w_-]+)", "127.0.0.1:8989"
    local kept = n:get("/kept").body
    assert.matches("^authgear:login:default:[%w_-]+\n\137AGSEAL\n", kept)
    assert.falsy(kept:find(state, 1, true))
    assert.falsy(kept:find(redirect, 1, true))
    assert.truthy(#state == 43)
    for line in n:log():gmatch "[^\n]+" do
      assert.falsy(line:find("[lua]", 1, true) and line:find(state, 1, true))
    end
  end)
end)
