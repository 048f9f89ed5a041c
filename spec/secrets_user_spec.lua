-- No secret in what comes out when the user's own code fails: every callback, at every place where it is called, raises
-- or gives up with all it was given. What it raised itself is its own affair; what this library says, shows nothing.
-- takes: 3

local authgear = require "authgear"
local canary = require "spec.support.canary"
local core = require "authgear.core"
local fake = require "spec.support.fake_provider"
local program = require "spec.support.program"
local tour = require "spec.support.tour"

-- A storage that does `bad(what, ...)` instead of one function's work, from when `on` is set.
local function bad_storage(which, bad)
  local storage = fake.storage()
  storage.lock = function() return true end
  storage.unlock = function() return true end
  storage.changed = function() return storage.on or false end
  local good = storage[which]
  storage[which] = function(self, ...)
    if storage.on then
      return bad(self.record, ...)
    end
    return good(self, ...)
  end
  return storage
end

-- Ways to fail with a secret in hand: what is called gets everything it was given and the record.
local FAILURES = {
  raises_it = function(...) error((...) or "nothing") end,
  raises_all = function(...) error({ ... }) end,
  answers_it = function(...) return nil, (...) or "nothing" end,
  answers_false = function(...) return false, { ... } end,
  answers_an_error = function(...) return nil, { code = (...) or "x", message = (...) or "x", cause = (...) } end,
  answers_nonsense = function(...) return { ... } end,
}

describe("no secret comes out of the user's own", function()
  for _, which in ipairs { "get", "set", "del", "lock", "unlock", "changed" } do
    it("storage, its function " .. which, function()
      for _, fail in pairs(FAILURES) do
        tour.each_operation(function(s)
          s.users = true
          s.options.storage.on = true
        end, function()
          return { storage = bad_storage(which, fail), lock_timeout = 0.001, host = { sleep = function() end } }
        end)
      end
    end)
  end

  -- In a call, what the callback raises is raised again: a fixed word here, so that the traceback can be looked at.
  local function boom()
    error("boom")
  end

  local function raises(s, where, call)
    local ok, raised = xpcall(call, debug.traceback)
    assert.is_false(ok, where)
    assert.truthy(raised:find("boom", 1, true), where)
    s.watch:look(where, raised)
    s.watch:check()
  end

  it("listener", function()
    for _, which in ipairs { "log_in", "logout", "clear", "forced_logout" } do
      local s = tour.setting()
      s.client:on_session_state_change(boom)
      raises(s, which, function()
        return tour.OPERATIONS[which].run(s)
      end)
      -- It has happened all the same.
      assert.equal(which == "log_in" and "AUTHENTICATED" or "NO_SESSION", s.client:session_state())
    end
  end)

  it("sink, source and cancelled", function()
    local s = tour.setting()
    raises(s, "sink", function() return s.client:fetch(fake.APP .. "/x", { sink = boom }) end)
    raises(s, "source", function() return s.client:fetch(fake.APP .. "/x", { body = boom }) end)
    raises(s, "cancelled", function() return s.client:fetch(fake.APP .. "/x", { cancelled = boom }) end)
  end)

  it("host and clock", function()
    local storage = fake.storage()
    function storage.lock() return not storage.on end
    function storage.unlock() end
    local held = tour.setting({ host = { sleep = boom }, storage = storage })
    storage.on = true
    raises(held, "sleep", function() return held.client:refresh_access_token() end)
    local on
    local ticking = tour.setting({ clock = {
      monotonic = function() return on and boom() or core.now() end,
      wall = function() return select(2, core.now()) end,
    } })
    on = true
    for _, which in ipairs { "refresh", "fetch", "user_info", "logout", "configure" } do
      raises(ticking, "clock in " .. which, function() return tour.OPERATIONS[which].run(ticking) end)
    end
  end)

  it("log, which is not heard", function()
    local s = tour.setting({ log = boom })
    assert.is_true(s.client:logout())
  end)

  it("on_unauthorized", function()
    for _, policy in pairs {
      function(response) error(response) end, function() error("boom") end, function() return nil, "boom" end,
      function(response) return response.body end,
    } do
      local s = tour.setting()
      s.users = true
      s.provider.answers.app = function(request)
        return { status = 401, headers = request.headers, body = request.headers.Authorization }
      end
      tour.look(s, "fetch", xpcall(function()
        return s.client:fetch(fake.APP, { on_unauthorized = policy })
      end, debug.traceback))
      s.watch:check()
    end
  end)

  it("JSON decoder", function()
    for _, decode in ipairs {
      function(text) error(text) end, function(text) return nil, text end, function(text) error({ text }) end,
    } do
      local s = tour.setting({ json = decode })
      s.users = true
      s.provider.answers.app = function(request)
        return { status = 200, headers = {}, body = '{"you sent":"' .. request.headers.Authorization .. '"}' }
      end
      local response = assert(s.client:fetch(fake.APP))
      tour.look(s, "json", xpcall(function() return response:json() end, debug.traceback))
      s.watch:check()
    end
  end)

  it("ui, and its function cancelled", function()
    for _, fail in pairs(FAILURES) do
      local s = tour.setting(nil, true)
      s.users = true
      for _, options in ipairs {
        { ui = function(request) s.watch:plant("state", request.state) return fail(request.url, request.state) end },
        { ui = function(request)
          s.watch:plant("state", request.state)
          return s.provider:callback(request, "&code=" .. request.state)
        end },
        { ui = function(request)
          s.watch:plant("state", request.state)
          return request.redirect_uri .. "?state=" .. request.state .. "&error=" .. request.state .. "&error_description="
            .. canary.base64url(request.state)
        end },
        { ui = function(request) return request.redirect_uri .. "?state=" .. canary.text("someone's state") end },
        { ui = function(request) return fail(request.cancelled()) end, cancelled = function() return true end },
      } do
        options.redirect_uri = fake.REDIRECT_URI
        tour.look(s, "authenticate", xpcall(function() return s.client:authenticate(options) end, debug.traceback))
        s.watch:check()
      end
    end
  end)

  it("callback URL", function()
    local s = tour.setting(nil, true)
    local code = canary.text("pasted code")
    s.watch:plant("code", code)
    local function callback(text)
      local request = assert(s.client:start_authentication { redirect_uri = fake.REDIRECT_URI })
      s.watch:plant("state", request.state)
      tour.look(s, text, xpcall(function()
        return s.client:finish_authentication((text:gsub("STATE", request.state):gsub("CODE", code)))
      end, debug.traceback))
      s.watch:check()
    end
    for _, text in ipairs {
      "CODE", "?code=CODE", "http://127.0.0.1:8989/callback?code=CODE", "http://127.0.0.1:8989/callback?code=CODE&state=CODE",
      "http://127.0.0.1:8989/other?code=CODE&state=STATE", "http://127.0.0.1:8989/callback?code=CODE&code=CODE&state=STATE",
      "http://127.0.0.1:8989/callback?code=CODE&state=STATE&state=STATE", "http://127.0.0.1:8989/callback?code=CODE%&state=STATE",
      "http://127.0.0.1:8989/callback?code=CODE&state=STATE&iss=https://CODE", "app://callback?code=CODE&state=STATE",
      "http://127.0.0.1:8989/callback?error=CODE&state=STATE&code=CODE", "http://127.0.0.1:8989/callback?error=x&state=STATE"
        .. "&error_description=STATE%20CODE&code=CODE", "http://127.0.0.1:8989/callback#code=CODE&state=STATE",
      "http://127.0.0.1:8989/callback?code=CODE&state=STATE",
    } do
      callback(text)
    end
  end)

  it("wrapped request", function()
    local s = tour.setting()
    local wrapped = s.client:wrap(function() error("boom") end)
    raises(s, "request", wrapped)
    wrapped = s.client:wrap(function() return { status = 401 } end, { status = boom })
    raises(s, "status", wrapped)
  end)
end)

describe("no secret comes out of wrong use", function()
  local token = canary.text("misplaced token")

  it("with a token in the wrong place", function()
    local watch = canary.watch()
    watch:plant("misplaced token", token)
    local client = tour.setting().client
    for i, call in ipairs {
      function() client:fetch(fake.APP, { [token] = true }) end,
      function() client:fetch(fake.APP, { headers = { [token .. "\r"] = "x" } }) end,
      function() client:fetch(fake.APP, { headers = { [token] = true } }) end,
      function() client:fetch(fake.APP, { headers = { [token] = "a\nb" } }) end,
      function() client:fetch(fake.APP, { headers = { ["Authorization: Bearer " .. token] = "x" } }) end,
      function() client:fetch(fake.APP, { headers = { Authorization = "Bearer " .. token .. "\n" } }) end,
      function() client:fetch(fake.APP, { headers = { "Authorization: Bearer " .. token } }) end,
      function() client:fetch(fake.APP, { query = { [token] = {} } }) end,
      function() client:fetch(fake.APP, { on_unauthorized = token }) end,
      function() client:fetch(fake.APP, { timeout = token }) end,
      function() client:fetch(fake.APP, { json = { [token] = print } }) end,
      function() client:fetch(fake.APP .. "?t=" .. token .. "\0") end,
      function() client:fetch(fake.APP, token) end,
      function() client:handle_unauthorized { status = token } end,
      function() client:handle_unauthorized { status = 401, [token] = 1 } end,
      function() client:authenticate { redirect_uri = "x", ui = token } end,
      function() client:start_authentication { redirect_uri = "x", page = token } end,
      function() client:logout(token) end,
      function() authgear.new { endpoint = fake.ENDPOINT, client_id = "x", storage = token } end,
      function() authgear.new { endpoint = fake.ENDPOINT, client_id = "x", client_secret = { token } } end,
      function() authgear.new { endpoint = fake.ENDPOINT, client_id = "x", transport = token } end,
      function() authgear.storage.file { [token] = 1 } end,
      function() authgear.array(token) end,
      function() client.fetch(token) end,
    } do
      local ok, raised = xpcall(call, debug.traceback)
      assert.is_false(ok, "call " .. i)
      watch:look("call " .. i, raised)
    end
    for i, call in ipairs {
      function() return client:fetch(fake.APP .. "/ " .. token) end,
      function() return client:fetch("https://user:" .. token .. "@app.test/") end,
      function() return client:fetch(token) end,
      function() return client:fetch("http://app.test/?t=" .. token) end,
      function() return client:fetch(fake.APP, { method = token .. " x" }) end,
      function() return client:fetch(fake.APP, { method = token }) end,
      function() return client:start_authentication { redirect_uri = token } end,
      function() return client:finish_authentication(token) end,
      function() return authgear.new { endpoint = "https://x:" .. token .. "@auth.test", client_id = "x" } end,
      function() return authgear.new { endpoint = fake.ENDPOINT .. "?" .. token, client_id = "x" } end,
      function() return authgear.new { endpoint = fake.ENDPOINT, client_id = "x", allowed_origins = { token } } end,
    } do
      local ok, value, err = xpcall(call, debug.traceback)
      assert.truthy(ok and value == nil, "answer " .. i .. " " .. tostring(value))
      watch:look("answer " .. i, err)
    end
    watch:check()
  end)
end)

describe("no secret is printed", function()
  -- A program of its own: what it prints, and how the interpreter reports its death.
  local CODE = [[
    local fake = require "spec.support.fake_provider"
    local authgear = require "authgear"
    local how = ...
    local p = fake.new()
    local fail
    local options = p:options { storage = fake.storage(), client_secret = require("spec.support.canary").text("client secret"),
      on_session_state_change = function() if fail == "listener" then error("boom") end end,
      log = function(level, message) print(level, message) end }
    local good = options.transport
    options.transport = function(request)
      if fail == "transport" then error(request.body or request.headers.Authorization or "x") end
      return good(request)
    end
    local client = assert(authgear.new(options))
    assert(p:log_in(client))
    fail = how
    p.ahead = 4000
    print(client:fetch(fake.APP .. "/me"))
    print(client:fetch_user_info())
    print(client:refresh_access_token())
    if how == "console" then
      p.answers.token = function() return fake.json(400, { error = "invalid_grant" }) end
      client:authenticate { redirect_uri = fake.REDIRECT_URI, ui = "console" }
    end
    print(client, client:logout())
    print(client:fetch("ftp://x"))
    authgear.new(5)
  ]]

  local function printed(how, shell)
    local watch = canary.watch()
    for i = 1, 20 do
      for _, name in ipairs { "access token", "refresh token", "code" } do
        watch:plant(name, canary.text(name .. " " .. i))
      end
    end
    watch:plant("client secret", canary.text("client secret"))
    watch:plant("pasted code", canary.text("pasted code"))
    local out = program.run(CODE, { args = { how }, shell = shell })
    watch:look(how, out)
    watch:check()
    return out
  end

  it("whatever fails", function()
    local out = printed("nothing")
    assert.truthy(out:find("traceback", 1, true), out)
    assert.truthy(printed("transport"):find("user_code", 1, true))
    assert.truthy(printed("listener"):find("boom", 1, true))
  end)

  it("nor what was pasted", function()
    local code = canary.text("pasted code")
    local out = printed("console", ("2>&1 <<'END'\n%s\nhttp://127.0.0.1:8989/other?code=%s\nhttp://127.0.0.1:8989/callback?code=%s\nEND")
      :format(code, code, code))
    assert.truthy(out:find("That is not the address", 1, true), out)
  end)
end)
