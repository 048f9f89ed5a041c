-- Runs every example of the guide and the demo as their users would: as programs, in order, with one data directory.
-- takes: 17
local socket = require "socket"
local server = require "spec.support.server"
local with = require "spec.support.with"

local interpreter = arg and arg[-1] or "lua"
do
  local i = -1
  while arg and arg[i] do
    interpreter, i = arg[i], i - 1
  end
end

local pwd = assert(io.popen "pwd")
local root = pwd:read "*l"
pwd:close()

local function quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local function read(path)
  local file = assert(io.open(path))
  local text = file:read "*a"
  file:close()
  return text
end

describe("the examples", function()
  local dev, dir, redirect_uri

  local function with_environment(command, environment)
    local words = {}
    for name, value in pairs(environment) do
      words[#words + 1] = name .. "=" .. quote(value)
    end
    return table.concat(words, " ") .. " " .. command
  end

  -- Runs a program with more environment, and a file as its standard input; its output and whether it ended well.
  local function run(command, environment, input)
    local out = os.tmpname()
    local ok = os.execute(with_environment(command, environment) .. " >" .. out .. " 2>&1 <" .. quote(input or "/dev/null"))
    local text = read(out)
    os.remove(out)
    return text, ok == true or ok == 0
  end

  local function example(name, more, input)
    local environment = with({
      AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = dir,
      YOUR_SERVER_URL = dev.app .. "/api/hello", BROWSER = root .. "/scripts/demo-browser", AUTHGEAR_REDIRECT_URI = redirect_uri,
    }, more)
    return run(quote(interpreter) .. " examples/" .. name .. ".lua", environment, input)
  end

  -- Runs a program that prints URLs and wants the URL pasted that each ends at; what else it printed.
  local function pasted(name, data)
    local fifo = os.tmpname()
    os.remove(fifo)
    assert(os.execute("mkfifo -m 600 " .. quote(fifo)))
    local pipe = assert(io.popen(with_environment(quote(interpreter) .. " examples/" .. name .. ".lua", {
      AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = data,
    }) .. " 2>&1 <" .. quote(fifo)))
    local keyboard = assert(io.open(fifo, "w"))
    os.remove(fifo)
    local said = {}
    for line in pipe:lines() do
      if line:find("^https?://") then
        keyboard:write(dev:visit(line).location, "\n")
        keyboard:flush()
      else
        said[#said + 1] = line .. "\n"
      end
    end
    keyboard:close()
    pipe:close()
    return table.concat(said)
  end

  local function guide(name)
    return example("guide/" .. name)
  end

  setup(function()
    dev = server.shared()
    local listener = assert(socket.bind("127.0.0.1", 0))
    redirect_uri = ("http://127.0.0.1:%d/callback"):format(select(2, listener:getsockname()))
    listener:close()
    dev:add_redirect_uris("native", { redirect_uri })
    dir = os.tmpname()
    os.remove(dir)
    assert(os.execute("mkdir -m 700 " .. dir))
  end)

  teardown(function()
    os.execute("rm -rf " .. dir)
  end)

  it("configure: no network call, nobody logged in", function()
    local before = #dev:log {}
    local text, ok = guide "configure"
    assert.is_true(ok, text)
    assert.are.equal("configured, session state is NO_SESSION\n", text)
    assert.are.equal(before, #dev:log {})
  end)

  it("logs in with a browser", function()
    local text, ok = guide "log_in"
    assert.is_true(ok, text)
    assert.matches("^logged in as [%x-]+\n$", text)
  end)

  it("asks the doctor", function()
    local text, ok = guide "doctor"
    assert.is_true(ok, text)
    assert.matches("\nok    discovery       [^\n]*\n", text)
    assert.matches("\nok    session         somebody is logged in", text)
  end)

  it("session state: local first, then up to date", function()
    local text, ok = guide "session_state"
    assert.is_true(ok, text)
    assert.matches("^before: AUTHENTICATED\nuser: [%x-]+\nafter: AUTHENTICATED\n$", text)
  end)

  it("fetch includes the Authorization header", function()
    local text, ok = guide "fetch"
    assert.is_true(ok, text)
    assert.matches("^200\t[%x-]+\n$", text)
  end)

  it("another HTTP library, by hand and wrapped", function()
    local text, ok = guide "authorization_header"
    assert.is_true(ok, text)
    assert.are.equal("200\n200\n", text)
  end)

  it("session state after the session was revoked remotely", function()
    dev:revoke {}
    local text, ok = guide "session_state"
    assert.is_true(ok, text)
    assert.are.equal("before: AUTHENTICATED\nerror: session_revoked\nafter: NO_SESSION\n", text)
  end)

  it("a revoked session: 401, and cleared", function()
    local text, ok = guide "log_in"
    assert.is_true(ok, text)
    dev:revoke {}
    text, ok = guide "revoked_session"
    assert.is_true(ok, text)
    assert.are.equal("user session invalid\nNO_SESSION\n", text)
  end)

  it("without a session the wrapped request goes out without a token", function()
    local text, ok = guide "authorization_header"
    assert.is_true(ok, text)
    assert.are.equal("401\n401\n", text)
  end)

  it("reauthenticates, and lets the user change and delete the account", function()
    dev:login { user = "example" }
    local text, ok = guide "log_in"
    assert.is_true(ok, text)
    text, ok = example "account/reauthenticate"
    assert.is_true(ok, text)
    assert.matches("^it is [%x-]+\ttrue\ntrue\n$", text)
    text, ok = example "account/settings"
    assert.is_true(ok, text)
    assert.are.equal("the password is another one now\na page at " .. dev.endpoint .. "\nNO_SESSION\n", text)
    dev:login { user = "user" }
  end)

  it("is told of a session's beginning and end", function()
    local environment = { XDG_DATA_HOME = dir .. "/events" }
    local text, ok = example("guide/session_events", environment)
    assert.is_true(ok, text)
    assert.matches("^NO_SESSION\tNO_TOKEN\nAUTHENTICATED\tAUTHENTICATED\nit is [%x-]+\n$", text)
    text, ok = example("guide/session_events", environment)
    assert.is_true(ok, text)
    assert.matches("^AUTHENTICATED\tFOUND_TOKEN\nit is [%x-]+\n$", text)
    dev:revoke {}
    text, ok = example("guide/session_events", environment)
    assert.is_true(ok, text)
    assert.are.equal("AUTHENTICATED\tFOUND_TOKEN\nNO_SESSION\tINVALID\nsession_revoked\n", text)
  end)

  it("another HTTP library's 401, and the log-out", function()
    local text, ok = guide "log_in"
    assert.is_true(ok, text)
    assert.are.equal("200\nAUTHENTICATED\n", (guide "another_library"))
    dev:revoke {}
    assert.are.equal("401\nNO_SESSION\n", (guide "another_library"))
    text, ok = guide "log_in"
    assert.is_true(ok, text)
    dev:expire {}
    assert.are.equal("once more, with a new token\n200\nAUTHENTICATED\n", (guide "another_library"))
    text, ok = guide "log_out"
    assert.is_true(ok, text)
    assert.are.equal("NO_SESSION\nand in the browser: a page at " .. dev.endpoint .. "\n", text)
    assert.are.equal(0, #dev:control "/sessions")
  end)

  it("lets the user add, change and link what they log in with", function()
    dev:login { user = "identities" }
    local environment = { XDG_DATA_HOME = dir .. "/identities" }
    local text, ok = example("guide/log_in", environment)
    assert.is_true(ok, text)
    text, ok = example("account/identities", environment)
    assert.is_true(ok, text)
    assert.are.equal("an address more\nanother address instead\na number more\nanother number instead\na name more\n"
      .. "another name instead\nlinked\nnot linked any more\n", text)
    local done = {}
    for i, action in ipairs(dev:control("/users", { name = "identities" }).actions) do
      done[i] = action.action
    end
    assert.are.same({ "add_email", "change_email", "add_phone", "change_phone", "add_username", "change_username",
      "link_oauth", "unlink_oauth" }, done)
    dev:login { user = "user" }
  end)

  it("the halves, with deep links", function()
    dev:login { user = "halves" }
    assert.matches("^logged in as ([%x-]+)\nit is %1\nthe password is another one now\n$",
      pasted("account/halves", dir .. "/halves"))
    dev:login { user = "linked-player" }
    assert.are.equal("welcome, linked-player\n", pasted("anonymous/deep_link", dir .. "/linked"))
    dev:login { user = "user" }
  end)

  it("a server that asks who is calling", function()
    local session = dev:session { client = "native" }
    local input = dir .. "/header"
    local function who(authorization)
      local file = assert(io.open(input, "w"))
      file:write(authorization, "\n")
      file:close()
      local text, ok = example("server/who_is_calling", nil, input)
      assert.is_true(ok, text)
      return text
    end
    local header = "Bearer " .. session.access_token
    assert.are.equal(("verify\t%s\nresolve\t%s\n"):format(session.sub, session.sub), who(header))
    dev:revoke { session = session.session }
    assert.are.equal(("verify\t%s\nresolve\t401\n"):format(session.sub), who(header))
    assert.are.equal("verify\t401\nresolve\t401\n", who "Basic eDp5")
    dev:fault { target = "resolve", kind = "status", status = 503, times = 9 }
    dev:fault { target = "jwks", kind = "status", status = 503, times = 9 }
    assert.are.equal("verify\t503\nresolve\t503\n", who(header))
    dev:control("/faults", nil, "DELETE")
    os.remove(input)
  end)

  it("a player who signs up later", function()
    local function play(argument)
      return run(quote(interpreter) .. " examples/anonymous/play.lua " .. (argument or ""), {
        AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = dir .. "/player",
        YOUR_SERVER_URL = dev.app .. "/api/hello", BROWSER = root .. "/scripts/demo-browser", AUTHGEAR_REDIRECT_URI = redirect_uri,
      })
    end
    local first, ok = play()
    assert.is_true(ok, first)
    assert.matches("^player [%x-]+\n$", first)
    assert.are.equal(first, (play()))
    local text
    text, ok = play "sign-up"
    assert.is_true(ok, text)
    assert.are.equal("that account exists already; you play on without one\n" .. first, text)
    dev:login { user = "player-one" }
    text, ok = play "sign-up"
    assert.is_true(ok, text)
    assert.are.equal("welcome, player-one\n" .. first, text)
    dev:login { user = "user" }
    assert.are.equal(first, (play()))
  end)

  it("a program without a user, twice with one token", function()
    local before = dev:token_count("client_credentials", "m2m").requests
    for _ = 1, 2 do
      local text, ok = run(quote(interpreter) .. " examples/machines/job.lua", {
        AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "m2m", AUTHGEAR_CLIENT_SECRET = "m2msecret", XDG_DATA_HOME = dir,
        YOUR_RESOURCE = "https://fixtureresource/1", YOUR_SERVER_URL = dev.app .. "/api/hello",
      })
      assert.is_true(ok, text)
      assert.are.equal("200\tclient_id_m2m\n", text)
    end
    assert.are.equal(before + 1, dev:token_count("client_credentials", "m2m").requests)
  end)

  it("binds a session to a key, at a provider with bound access tokens and at Authgear", function()
    for kind, where in pairs { DPoP = dev.strict, Bearer = { endpoint = dev.endpoint, app = dev.app .. "/api" } } do
      local environment = { AUTHGEAR_ENDPOINT = where.endpoint, XDG_DATA_HOME = dir .. "/" .. kind,
        AUTHGEAR_CLIENT_ID = kind == "DPoP" and "strict" or "native", YOUR_SERVER_URL = where.app .. "/hello" }
      for _ = 1, 2 do
        local text, ok = example("dpop/bound", environment)
        assert.is_true(ok, text)
        assert.are.equal("fetch\t200\nLuaSocket\t200\t" .. kind .. "\n", text)
      end
      local text, ok = example("dpop/by_hand", environment)
      assert.is_true(ok, text)
      assert.are.equal("200\n", text)
    end
  end)

  it("opens a web application, logged in", function()
    for _ = 1, 2 do
      local text, ok = example("account/web_application", { WEB_CLIENT_ID = "webapp", WEB_URL = "http://127.0.0.1:8989/callback" })
      assert.is_true(ok, text)
      assert.are.equal("a URL at " .. dev.endpoint .. "\n", text)
    end
  end)

  it("the demo tells the story", function()
    local lua_cpath = os.getenv "LUA_CPATH" or package.cpath
    local text, ok = run("sh scripts/demo", { DEMO_LUA = interpreter, DEMO_LUA_CPATH = lua_cpath,
      AUTHGEAR_REDIRECT_URI = redirect_uri })
    assert.is_true(ok, text)
    assert.matches("session_state%(%) is NO_SESSION\n.-logged in as", text)
    assert.matches("fetch refreshes it by itself.-%-> 200.-a new one", text)
    assert.matches("another one. Configure again.-session_state%(%) is AUTHENTICATED", text)
    assert.matches("The next fetch gets 401.-because of INVALID.-%-> 401.-session_state%(%) is NO_SESSION", text)
  end)
end)
