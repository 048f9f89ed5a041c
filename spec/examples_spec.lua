-- Runs every example of the guide and the demo as their users would: as programs. Each test has a data directory of its own,
-- and logs in for itself.
-- takes: 20
local files = require "spec.support.files"
local program = require "spec.support.program"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local interpreter = program.interpreter()
local quote = files.quote
local root = files.sh "pwd"

describe("the examples", function()
  local dev, dir, redirect_uri

  local function with_environment(command, environment)
    local words = {}
    for name, value in pairs(environment) do
      words[#words + 1] = name .. "=" .. quote(value)
    end
    return table.concat(words, " ") .. " " .. command
  end

  -- Runs a command, which has to end well: its output. More environment, and a file as its standard input.
  local function run(command, environment, input)
    local out = dir .. "/out"
    local ok = os.execute(with_environment(command, environment) .. " >" .. out .. " 2>&1 <" .. quote(input or "/dev/null"))
    local text = files.read(out)
    assert.is_true(ok == true or ok == 0, text)
    return text
  end

  local function example(name, more, input, argument)
    return run(quote(interpreter) .. " examples/" .. name .. ".lua " .. (argument or ""), with({
      AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = dir,
      YOUR_SERVER_URL = dev.app .. "/api/hello", BROWSER = root .. "/scripts/demo-browser", AUTHGEAR_REDIRECT_URI = redirect_uri,
    }, more), input)
  end

  local function log_in(user)
    dev:login { user = user }
    return example "guide/log_in"
  end

  -- Runs a program that prints URLs and wants the URL pasted that each ends at; what else it printed.
  local function pasted(name)
    local fifo = os.tmpname()
    os.remove(fifo)
    assert(os.execute("mkfifo -m 600 " .. quote(fifo)))
    local pipe = assert(io.popen(with_environment(quote(interpreter) .. " examples/" .. name .. ".lua", {
      AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native", XDG_DATA_HOME = dir,
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

  setup(function()
    dev = server.shared()
    redirect_uri = sdk.free_redirect_uri()
    dev:add_redirect_uris("native", { redirect_uri })
  end)

  before_each(function()
    dev:reset { sessions = true }
    dir = files.temp_dir()
  end)

  after_each(function()
    files.remove(dir)
  end)

  it("configure: no network call, nobody logged in", function()
    local before = #dev:log {}
    assert.equal("configured, session state is NO_SESSION\n", example "guide/configure")
    assert.equal(before, #dev:log {})
  end)

  it("logs in with a browser", function()
    assert.matches("^logged in as [%x-]+\n$", example "guide/log_in")
  end)

  it("asks the doctor", function()
    log_in()
    local text = example "guide/doctor"
    assert.matches("\nok    discovery       [^\n]*\n", text)
    assert.matches("\nok    session         somebody is logged in", text)
  end)

  it("session state: local first, then up to date", function()
    log_in()
    assert.matches("^before: AUTHENTICATED\nuser: [%x-]+\nafter: AUTHENTICATED\n$", example "guide/session_state")
  end)

  it("session state after the session was revoked remotely", function()
    log_in()
    dev:revoke {}
    assert.equal("before: AUTHENTICATED\nerror: session_revoked\nafter: NO_SESSION\n", example "guide/session_state")
  end)

  it("fetch includes the Authorization header", function()
    log_in()
    assert.matches("^200\t[%x-]+\n$", example "guide/fetch")
  end)

  it("another HTTP library, by hand and wrapped", function()
    log_in()
    assert.equal("200\n200\n", example "guide/authorization_header")
  end)

  it("without a session the wrapped request goes out without a token", function()
    assert.equal("401\n401\n", example "guide/authorization_header")
  end)

  it("a revoked session: 401, and cleared", function()
    log_in()
    dev:revoke {}
    assert.equal("user session invalid\nNO_SESSION\n", example "guide/revoked_session")
  end)

  it("another HTTP library's 401", function()
    log_in()
    assert.equal("200\nAUTHENTICATED\n", example "guide/another_library")
    dev:expire {}
    assert.equal("once more, with a new token\n200\nAUTHENTICATED\n", example "guide/another_library")
  end)

  it("another HTTP library's 401, the session being revoked", function()
    log_in()
    dev:revoke {}
    assert.equal("401\nNO_SESSION\n", example "guide/another_library")
  end)

  it("is told of a session's beginning and end", function()
    log_in()
    assert.matches("^AUTHENTICATED\tFOUND_TOKEN\nit is [%x-]+\n$", example "guide/session_events")
    dev:revoke {}
    assert.equal("AUTHENTICATED\tFOUND_TOKEN\nNO_SESSION\tINVALID\nsession_revoked\n", example "guide/session_events")
  end)

  it("the log-out", function()
    log_in()
    assert.equal("NO_SESSION\nand in the browser: a page at " .. dev.endpoint .. "\n", example "guide/log_out")
    assert.equal(0, #dev:control "/sessions")
  end)

  it("reauthenticates, and lets the user change and delete the account", function()
    log_in "example"
    assert.matches("^it is [%x-]+\ttrue\ntrue\n$", example "account/reauthenticate")
    assert.equal("the password is another one now\na page at " .. dev.endpoint .. "\nNO_SESSION\n", example "account/settings")
  end)

  it("lets the user add, change and link what they log in with", function()
    log_in "identities"
    assert.equal("an address more\nanother address instead\na number more\nanother number instead\na name more\n"
      .. "another name instead\nlinked\nnot linked any more\n", example "account/identities")
    local done = {}
    for i, action in ipairs(dev:control("/users", { name = "identities" }).actions) do
      done[i] = action.action
    end
    assert.same({ "add_email", "change_email", "add_phone", "change_phone", "add_username", "change_username",
      "link_oauth", "unlink_oauth" }, done)
  end)

  it("the halves of what goes through a page, with deep links", function()
    assert.matches("^logged in as ([%x-]+)\nit is %1\nthe password is another one now\n$", pasted "account/halves")
  end)

  it("a player who signs up with a deep link", function()
    dev:login { user = "linked-player" }
    assert.equal("welcome, linked-player\n", pasted "anonymous/deep_link")
  end)

  it("a server that asks who is calling", function()
    local session = dev:session { client = "native" }
    local input = dir .. "/header"
    local function who(authorization)
      files.write(input, authorization .. "\n")
      return example("server/who_is_calling", nil, input)
    end
    local header = "Bearer " .. session.access_token
    assert.equal(("verify\t%s\nresolve\t%s\n"):format(session.sub, session.sub), who(header))
    dev:revoke { session = session.session }
    assert.equal(("verify\t%s\nresolve\t401\n"):format(session.sub), who(header))
    assert.equal("verify\t401\nresolve\t401\n", who "Basic eDp5")
    dev:fault { target = "resolve", kind = "status", status = 503, times = 9 }
    dev:fault { target = "jwks", kind = "status", status = 503, times = 9 }
    assert.equal("verify\t503\nresolve\t503\n", who(header))
  end)

  it("a player who signs up later", function()
    local function play(argument)
      return example("anonymous/play", nil, nil, argument)
    end
    local first = play()
    assert.matches("^player [%x-]+\n$", first)
    assert.equal(first, play())
    assert.equal("that account exists already; you play on without one\n" .. first, play "sign-up")
    dev:login { user = "player-one" }
    assert.equal("welcome, player-one\n" .. first, play "sign-up")
    dev:login { user = "user" }
    assert.equal(first, play())
  end)

  it("a program without a user, twice with one token", function()
    for _ = 1, 2 do
      assert.equal("200\tclient_id_m2m\n", example("machines/job", {
        AUTHGEAR_CLIENT_ID = "m2m", AUTHGEAR_CLIENT_SECRET = "m2msecret", YOUR_RESOURCE = "https://fixtureresource/1",
      }))
    end
    assert.equal(1, dev:token_count("client_credentials", "m2m").requests)
  end)

  for kind, client_id in pairs { DPoP = "strict", Bearer = "native" } do
    it("binds a session to a key (" .. kind .. " access tokens)", function()
      local where = kind == "DPoP" and dev.strict or { endpoint = dev.endpoint, app = dev.app .. "/api" }
      local environment = {
        AUTHGEAR_ENDPOINT = where.endpoint, AUTHGEAR_CLIENT_ID = client_id, YOUR_SERVER_URL = where.app .. "/hello",
      }
      for _ = 1, 2 do
        assert.equal("fetch\t200\nLuaSocket\t200\t" .. kind .. "\n", example("dpop/bound", environment))
      end
      assert.equal("200\n", example("dpop/by_hand", environment))
    end)
  end

  it("opens a web application, logged in", function()
    for _ = 1, 2 do
      assert.equal("a URL at " .. dev.endpoint .. "\n",
        example("account/web_application", { WEB_CLIENT_ID = "webapp", WEB_URL = "http://127.0.0.1:8989/callback" }))
    end
  end)

  it("the demo tells the story", function()
    local text = run("sh scripts/demo", {
      DEMO_LUA = interpreter, DEMO_LUA_CPATH = os.getenv "LUA_CPATH" or package.cpath, AUTHGEAR_REDIRECT_URI = redirect_uri,
    })
    assert.matches("session_state%(%) is NO_SESSION\n.-logged in as", text)
    assert.matches("fetch refreshes it by itself.-%-> 200.-a new one", text)
    assert.matches("another one. Configure again.-session_state%(%) is AUTHENTICATED", text)
    assert.matches("The next fetch gets 401.-because of INVALID.-%-> 401.-session_state%(%) is NO_SESSION", text)
  end)
end)
