-- The configurations in examples/openresty, each run as it stands by a real nginx.
-- runs-on: jit
-- takes: 6
local json = require "dkjson"
local nginx = require "spec.support.nginx"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local DIR = (os.getenv "AUTHGEAR_ROOT" or ".") .. "/examples/openresty/"

describe("examples/openresty", function()
  local dev

  before_each(function()
    dev = server.shared()
  end)

  after_each(nginx.stop_all)

  local function start(name, env)
    env.AUTHGEAR_ENDPOINT, env.API = dev.endpoint, dev.app
    return nginx.start { example = DIR .. name, env = env }
  end

  it("machine.conf calls the API as itself, with one token for all workers", function()
    local n = start("machine.conf", { CLIENT_ID = "m2m", CLIENT_SECRET = "m2msecret", RESOURCE = "https://fixtureresource/1" })
    for _ = 1, 20 do
      local answer = n:get("/api/echo?a=b", { Authorization = "Bearer somebody" })
      assert.equal(200, answer.status)
      local seen = json.decode(answer.body)
      assert.equal("m2m", seen.client_id)
      assert.equal("/api/echo?a=b", seen.raw_url)
    end
    assert.equal(1, dev:token_count("client_credentials", "m2m").requests)
    dev:fault { target = "token", kind = "status", times = 10 }
    dev:expire {}
    assert.equal(502, n:get("/api/always401").status) -- no new token could be had
  end)

  it("machine.conf says 503 when there is no token to be had", function()
    local n = start("machine.conf", { CLIENT_ID = "m2m", CLIENT_SECRET = "wrong", RESOURCE = "https://fixtureresource/1" })
    assert.equal(503, n:get("/api/hello").status)
    assert.truthy(n:log():find("no token: oauth", 1, true))
    assert.falsy(n:log():find("secret=", 1, true))
  end)

  it("session.conf logs a browser in, keeps its tokens from it, and logs it out", function()
    local n = start("session.conf", { CLIENT_ID = "rotating", REDIRECT_URI = "http://127.0.0.1:${port}/callback" })
    dev:add_redirect_uris("rotating", { n.url .. "/callback" })
    local function log_in()
      local login = n:get "/login"
      local cookie = { Cookie = login.headers["set-cookie"]:match "^[^;]+" }
      local callback = dev:visit(login.headers.location).location
      local answer = n:get(callback:sub(#n.url + 1), cookie)
      assert.equal(302, answer.status, answer.body)
      assert.truthy(answer.headers.location:find "^http://127%.0%.0%.1:?%d*/$" or answer.headers.location == "/")
      return cookie
    end
    assert.truthy(n:get("/api/hello").headers.location:find "/login$")
    local one, two = log_in(), log_in()
    assert.not_equal(one.Cookie, two.Cookie)
    local answer = n:get("/api/echo", one)
    local seen = json.decode(answer.body)
    assert.is_true(seen.token_valid)
    assert.is_nil(seen.headers.cookie)
    dev:expire {}
    assert.equal(200, n:get("/api/hello", one).status)
    assert.equal(200, n:get("/api/hello", two).status)
    assert.equal(2, sdk.refreshes(dev, "rotating"))
    assert.equal("POST here to log out\n", n:get("/logout", one).body)
    assert.equal("logged out\n", n:get("/logout", one, { method = "POST" }).body)
    assert.truthy(n:get("/api/hello", one).headers.location:find "/login$")
    assert.equal(200, n:get("/api/hello", two).status)
    assert.truthy(n:get("/callback?code=x&state=y", two).body:find "The log%-in failed")
    assert.equal(200, n:get("/api/hello", two).status)
    assert.truthy(n:get("/api/hello", { Cookie = "session=../../etc" }).headers.location:find "/login$")
  end)
end)
