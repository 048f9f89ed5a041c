-- What the development server does that no recording shows: rotation under concurrency, faults before and after it
-- has acted, its log, and that it never outlives who started it.

local http = require "spec.support.http"
local json = require "dkjson"
local server = require "spec.support.server"
local socket = require "socket"

describe("the development server", function()
  local dev

  before_each(function()
    dev = server.shared()
  end)

  teardown(function()
    dev:reset()
  end)

  local function refresh(client, token, headers)
    return dev:request {
      url = dev.endpoint .. "/oauth2/token",
      form = { grant_type = "refresh_token", client_id = client, refresh_token = token },
      headers = headers,
    }
  end

  local function hello(token)
    return dev:request { url = dev.app .. "/api/hello", headers = { Authorization = "Bearer " .. token } }
  end

  --- Sends a request on a connection that stays open; returns the connection.
  local function send(base, text, conn)
    if not conn then
      conn = assert(socket.connect(base:match "//([^:]+):", tonumber(base:match ":(%d+)$")))
      conn:settimeout(10)
    end
    assert(conn:send(text))
    return conn
  end

  local function read_answer(conn)
    local line, err = conn:receive "*l"
    if not line then
      return nil, err
    end
    local length = 0
    repeat
      local header = assert(conn:receive "*l")
      length = tonumber(header:lower():match "^content%-length: (%d+)") or length
    until header == ""
    return tonumber(line:match " (%d+)"), length > 0 and conn:receive(length) or ""
  end

  it("lets two refreshes with one token rotate it once", function()
    local session = dev:session { client = "rotating" }
    local body = http.form { grant_type = "refresh_token", client_id = "rotating", refresh_token = session.refresh_token }
    local text = ("POST /oauth2/token HTTP/1.1\r\nHost: x\r\nContent-Type: application/x-www-form-urlencoded\r\n"
      .. "Content-Length: %d\r\n\r\n%s"):format(#body, body)
    local conns, statuses = {}, {}
    for i = 1, 8 do
      conns[i] = send(dev.endpoint, text)
    end
    for i = 1, 8 do
      statuses[i] = read_answer(conns[i])
      conns[i]:close()
    end
    table.sort(statuses)
    assert.same({ 200, 400, 400, 400, 400, 400, 400, 400 }, statuses)
    assert.equal(1, dev:token_count("refresh_token", "rotating").rotated)
  end)

  it("keeps a session alive whose old refresh token is tried again", function()
    local session = dev:session { client = "rotating" }
    local first = refresh("rotating", session.refresh_token).json
    assert.equal("invalid_grant", refresh("rotating", session.refresh_token).json.error)
    assert.equal(200, hello(first.access_token).status)
    assert.equal(200, refresh("rotating", first.refresh_token).status)
  end)

  it("refuses the tokens of a revoked session and of an expired one at once", function()
    local revoked, expired = dev:session { user = "ann" }, dev:session { user = "bob" }
    assert.equal(1, dev:revoke { user = "ann" })
    assert.equal(1, dev:expire { access_token = expired.access_token })
    assert.equal(401, hello(revoked.access_token).status)
    assert.equal(400, refresh("native", revoked.refresh_token).status)
    assert.equal(401, hello(expired.access_token).status)
    assert.equal(200, refresh("native", expired.refresh_token).status)
  end)

  it("counts a token's life in whole seconds, never less than was promised", function()
    local session = dev:session { client = "short" }
    dev:settings { clock_offset = 2.9 }
    assert.equal(200, hello(session.access_token).status)
    dev:settings { clock_offset = 4.1 }
    assert.equal(401, hello(session.access_token).status)
  end)

  it("spoils an answer before or after it has rotated the token", function()
    local session = dev:session { client = "rotating" }
    dev:fault { target = "token", kind = "close", when = "before" }
    assert.is_nil((refresh("rotating", session.refresh_token)))
    local second = refresh("rotating", session.refresh_token)
    assert.equal(200, second.status)
    dev:fault { target = "token", kind = "close", when = "after" }
    assert.is_nil((refresh("rotating", second.json.refresh_token)))
    assert.equal(400, refresh("rotating", second.json.refresh_token).status)
  end)

  it("has each kind of fault", function()
    local seen = {}
    for _, kind in ipairs {
      "reset", "close", "truncate", "garbage", "not_http", "status", "429", "drip", "empty", "big", "slow", "redirect",
      "answer", "patch",
    } do
      dev:fault { target = "app", kind = kind, ms = 1, location = "/", body = "mine", patch = { hello = json.null } }
      local answer = dev:request { url = dev.app .. "/public/hello" }
      seen[kind] = answer and answer.status or "nothing"
    end
    assert.same({
      reset = "nothing", close = "nothing", truncate = "nothing", not_http = "nothing", garbage = 200, status = 503,
      ["429"] = 429, drip = 200, empty = 200, big = 200, slow = 200, redirect = 302, answer = 200, patch = 200,
    }, seen)
    assert.equal(200, dev:request({ url = dev.app .. "/public/hello" }).status)
  end)

  it("closes a kept connection at the moment of the next request, and no fresh one", function()
    dev:fault { target = "app", kind = "close_kept" }
    local text = "GET /public/hello HTTP/1.1\r\nHost: x\r\n\r\n"
    local conn = send(dev.app, text)
    assert.equal(200, (read_answer(conn)))
    send(dev.app, text, conn)
    assert.is_nil((read_answer(conn)))
    conn:close()
    assert.equal(1, dev:faults()[1].fired)
  end)

  it("logs when a refresh was received, rotated and answered, and which tokens it was about", function()
    local session = dev:session { client = "rotating" }
    local new = refresh("rotating", session.refresh_token, { ["X-Test-Tag"] = "mine" }).json.refresh_token
    local events
    repeat
      events = dev:log { tag = "mine" }
    until #events == 3
    assert.same({ "received", "rotated", "answered" }, { events[1].event, events[2].event, events[3].event })
    assert.is_true(events[1].mono <= events[2].mono and events[2].mono <= events[3].mono)
    assert.equal(events[1].old, events[2].old)
    assert.equal(session.session, events[2].session)
    for _, one in ipairs(dev:control "/sessions") do
      if one.session == session.session then
        assert.same({ events[2].new }, one.refresh_tokens)
      end
    end
    assert.is_nil(json.encode(events):find(new, 1, true))
    assert.is_nil(json.encode(events):find(session.refresh_token, 1, true))
  end)

  it("ends a login with an error when told to, once", function()
    local url = dev.endpoint .. "/oauth2/authorize?" .. http.form {
      response_type = "code", client_id = "native", redirect_uri = "com.example.app://callback", state = "xyz",
      scope = "openid offline_access", code_challenge = ("x"):rep(43), code_challenge_method = "S256",
    }
    dev:login { error = "access_denied", error_description = "no way" }
    assert.equal("com.example.app://callback?error=access_denied&error_description=no+way&state=xyz",
      dev:visit(url).location)
    assert.truthy(dev:visit(url).location:find "^com%.example%.app://callback%?code=[^&]+&state=xyz$")
  end)

  it("takes redirect URIs to the letter, and new ones when told", function()
    local function location_for(uri)
      return dev:visit(dev.endpoint .. "/oauth2/authorize?" .. http.form {
        response_type = "code", client_id = "native", redirect_uri = uri, state = "xyz", scope = "openid",
        code_challenge = ("x"):rep(43), code_challenge_method = "S256",
      }).location
    end
    assert.is_nil(location_for "http://127.0.0.1:8989/callback/")
    assert.is_nil(location_for "http://127.0.0.1:18989/callback")
    dev:add_redirect_uris("native", { "http://127.0.0.1:18989/callback" })
    assert.truthy(location_for "http://127.0.0.1:18989/callback")
  end)

  it("ends with the process that started it, even one that is killed", function()
    local script = os.tmpname()
    local file = assert(io.open(script, "w"))
    file:write [[
      local dev = require("spec.support.server").start()
      print(dev.pid)
      print(dev.control_url)
      io.stdout:flush()
      os.execute("kill -9 $PPID")
    ]]
    file:close()
    local lua = arg and arg[-1] or "lua"
    for i = -1, -20, -1 do
      lua = arg and arg[i] or lua
    end
    local pipe = assert(io.popen(("'%s' '%s' 2>/dev/null"):format(lua, script)))
    local output = pipe:read "*a"
    pipe:close()
    os.remove(script)
    local control = output:match "(http%S+)"
    assert.truthy(control, output)
    local deadline = socket.gettime() + 10
    while http.request { url = control .. "/" } and socket.gettime() < deadline do
      socket.sleep(0.02)
    end
    assert.is_nil((http.request { url = control .. "/" }))
  end)
end)

describe("the development server with TLS", function()
  it("is another issuer on its plain ports, with the same sessions", function()
    local dev = server.shared { tls = true }
    assert.truthy(dev.endpoint:find "^https://")
    assert.truthy(io.open(dev.ca_file)):close()
    local answer = dev:request { url = dev.plain.endpoint .. "/.well-known/openid-configuration" }
    assert.equal(dev.plain.endpoint, answer.json.issuer)
    local session = dev:session { tls = false }
    answer = dev:request {
      url = dev.plain.app .. "/api/hello", headers = { Authorization = "Bearer " .. session.access_token },
    }
    assert.equal(session.sub, answer.json.hello)
    dev:stop()
    assert.is_nil(io.open(dev.ca_file))
  end)
end)
