-- authgear.pass: what goes to the upstream and back, 401 and the replay, streams, failures.
-- runs-on: jit
-- takes: 8
local authgear = require "authgear"
local files = require "spec.support.files"
local json = require "dkjson"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local socket = require "socket"

local HTTP = [[
  lua_check_client_abort on;
  client_body_buffer_size 1k;
  lua_shared_dict sessions 1m;
  init_by_lua_block {
    authgear = require "authgear.openresty"
    client = assert(authgear.new {
      endpoint = "${endpoint}", client_id = "rotating",
      storage = authgear.storage { dict = "sessions", file = "${store}" },
    })
    service = assert(authgear.new { endpoint = "${endpoint}", client_id = "m2m", client_secret = "m2msecret" })
  }
]]

local SERVER = [[
  location / { content_by_lua_block { authgear.pass(client, { to = "${app}", headers = { ["X-Gateway"] = "ours" } }) } }
  location /cookies/ { content_by_lua_block { authgear.pass(client, { to = "${app}", cookies = true, path = "/api/echo" }) } }
  location /machine/ { content_by_lua_block {
    local machine = assert(service:client_credentials { resource = "https://fixtureresource/1" })
    authgear.pass(machine, { to = "${app}", path = "/api/echo" })
  } }
  location /down/ { content_by_lua_block { authgear.pass(client, { to = "http://127.0.0.1:1" }) } }
  location /late/ { content_by_lua_block { authgear.pass(client, { to = "${app}", path = "/public/hang", timeout = 0.2 }) } }
  location /cut/ { content_by_lua_block { authgear.pass(client, { to = "http://127.0.0.1:${port}", path = "/upstream" }) } }
  location = /upstream { content_by_lua_block {
    ngx.header["Content-Length"] = 1000
    ngx.print "part"
    ngx.flush(true)
    repeat ngx.sleep(0.01) until ngx.shared.sessions:get "go"
    ngx.exit(ngx.ERROR)
  } }
  location = /go { content_by_lua_block { ngx.shared.sessions:set("go", true) } }
  location /wrong { content_by_lua_block {
    for _, options in ipairs { {}, { to = "${app}/" }, { to = 1 }, { to = "${app}", other = 1 } } do
      ngx.say(select(2, pcall(authgear.pass, client, options)))
    end
    ngx.say(select(2, pcall(authgear.pass, {}, { to = "${app}" })))
  } }
  location = /running { content_by_lua_block {
    collectgarbage()
    collectgarbage()
    ngx.print(require("authgear.current").engine:running())
  } }
]]

describe("authgear.openresty.pass", function()
  local dev, n, dir

  before_each(function()
    dev = server.shared()
    dir = sdk.temp_dir()
    local client = sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } })
    sdk.log_in(dev, client)
    client:close()
    n = nginx.start { http = HTTP, server = SERVER,
      values = { endpoint = dev.endpoint, app = dev.app, store = dir } }
  end)

  after_each(function()
    n:stop()
    files.remove(dir)
  end)

  local function echo(path, headers, options)
    local answer = assert(n:get(path, headers, options))
    assert.equal(200, answer.status, answer.body)
    return json.decode(answer.body, 1, json.null), answer
  end

  it("passes on the request as it came, but for the token and what is for one connection only", function()
    local seen, answer = echo("/api/echo?a=1&b=%2F", {
      Authorization = "Bearer the-caller's", Cookie = "session=secret", ["X-Mine"] = "1", ["X-Hop"] = "2",
      ["Keep-Alive"] = "3", TE = "trailers", ["X-Gateway"] = "theirs", ["Accept-Encoding"] = "br;q=0.1",
    }, { method = "PUT", body = "text" })
    assert.equal("PUT", seen.method)
    assert.equal("/api/echo?a=1&b=%2F", seen.raw_url)
    assert.equal("text", seen.body)
    assert.is_true(seen.token_valid)
    assert.equal("1", seen.headers["x-mine"])
    assert.equal("ours", seen.headers["x-gateway"])
    assert.equal("127.0.0.1", seen.headers["x-forwarded-for"])
    assert.equal("http", seen.headers["x-forwarded-proto"])
    for _, name in ipairs { "cookie", "te", "keep-alive" } do
      assert.is_nil(seen.headers[name], name)
    end
    assert.equal(dev.app, "http://" .. seen.headers.host)
    assert.equal("application/json", answer.headers["content-type"]:match "^[^;]+")
  end)

  it("drops the headers that the Connection header names", function()
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send "GET /api/echo HTTP/1.1\r\nHost: x\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\nX-Kept: 2\r\n\r\n"
    local text = conn:receive "*a"
    assert.truthy(text:lower():find('"x-kept":"2"', 1, true))
    assert.falsy(text:lower():find('"x-hop"', 1, true))
  end)

  it("passes cookies on if asked to", function()
    assert.equal("a=b", echo("/cookies/", { Cookie = "a=b" }).headers.cookie)
  end)

  it("refreshes once when the upstream says 401, and sends the request again, a body in a file too", function()
    local body = ("0123456789"):rep(10000)
    dev:expire {}
    local seen = echo("/api/echo", nil, { body = body, method = "POST" })
    assert.equal(#body, seen.body_bytes)
    assert.is_true(seen.token_valid)
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    assert.same({ "app /api/echo", "app /api/echo" }, sdk.arrived(dev))
  end)

  it("gives the caller a 401 that stays, and does not refresh again for it", function()
    for _ = 1, 3 do
      local answer = n:get "/api/always401"
      assert.equal(401, answer.status)
      assert.truthy(answer.headers["www-authenticate"])
    end
    assert.equal(1, sdk.refreshes(dev, "rotating"))
  end)

  it("works for a machine", function()
    local seen = echo "/machine/"
    assert.is_true(seen.token_valid)
    assert.equal("m2m", seen.client_id)
  end)

  it("passes on status, headers and body of any answer", function()
    assert.equal(404, n:get("/api/status/404").status)
    assert.equal(204, n:get("/api/status/204").status)
    assert.equal(302, n:get("/api/redirect/302?to=http%3A%2F%2Felsewhere.example%2F").status)
    assert.equal("http://elsewhere.example/", n:get("/api/redirect/302?to=http%3A%2F%2Felsewhere.example%2F").headers.location)
    assert.equal(300000, #n:get("/api/big?n=300000").body)
    assert.equal(300000, #n:get("/api/big?n=300000&chunked").body)
    local zipped = n:get "/api/gzip?n=5000"
    assert.equal(("a"):rep(5000), zipped.body)
    assert.is_nil(zipped.headers["content-encoding"])
    local head = n:get("/api/big?n=1000", nil, { method = "HEAD" })
    assert.equal("1000", head.headers["content-length"])
  end)

  it("streams, and stops when the caller has gone", function()
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send "GET /api/drip?n=2000&ms=50 HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("HTTP/1.1 200 OK", conn:receive "*l")
    repeat until conn:receive "*l" == ""
    assert.truthy(conn:receive(3))
    assert.same({}, dev:log { event = "answered", target = "app" })
    conn:close()
    nginx.wait("its end", function()
      return n:get("/running").body == "0"
    end)
  end)

  it("says what went wrong with a status and a code", function()
    local down = n:get "/down/"
    assert.equal(502, down.status)
    assert.same({ error = "network" }, json.decode(down.body))
    assert.equal(504, n:get("/late/").status)
    dev:fault { target = "token", kind = "status", times = 10 }
    dev:expire {}
    local failed = n:get "/api/echo"
    assert.truthy(failed.status == 502 or failed.status == 503, failed.status)
    assert.falsy(n:log():find("Bearer ey", 1, true))
  end)

  it("closes the connection when an answer was cut short of which part has been sent", function()
    local conn = assert(socket.connect("127.0.0.1", n.port))
    conn:send "GET /cut/ HTTP/1.1\r\nHost: x\r\n\r\n"
    assert.equal("HTTP/1.1 200 OK", conn:receive "*l")
    repeat until conn:receive "*l" == ""
    assert.equal("part", conn:receive(4))
    n:get "/go"
    local _, why, rest = conn:receive(1)
    assert.equal("closed", why)
    assert.equal("", rest)
  end)

  it("refuses wrong options", function()
    local body = n:get("/wrong").body
    for _, text in ipairs { "option 'to' is missing", "must not end with a slash", "option 'to' must be a string",
      "unknown option .other.", "a client or a machine expected" } do
      assert.truthy(body:find(text), text .. "\n" .. body)
    end
  end)
end)
