-- fetch against the development server: what goes out, what comes back, where the token goes and where it never does.

local authgear = require "authgear"
local fetchers = require "spec.support.fetcher"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

-- Both ways that a request can go (spec/support/fetcher.lua).
local function show(at_once)
  local dev, fetcher, client

  before_each(function()
    dev = server.shared()
    fetcher = fetchers.new(dev, at_once)
  end)

  local function begin(more)
    client = fetcher:log_in(more)
  end

  local function refreshes()
    return sdk.refreshes(dev)
  end

  local function echo(init, path)
    return sdk.echo(dev, client, init, path)
  end

  describe("sends", function()
    before_each(function()
      begin()
    end)

    it("a GET with the token, nothing else asked", function()
      local saw = echo()
      assert.equal("GET", saw.method)
      assert.is_true(saw.token_valid)
      assert.equal(client:access_token(), saw.bearer)
      assert.equal(0, saw.body_bytes)
      assert.is_nil(saw.headers["content-type"])
      assert.truthy(saw.headers["user-agent"]:find "^authgear%-lua/")
    end)

    it("any method", function()
      for _, method in ipairs { "GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PROPFIND" } do
        assert.equal(method, echo({ method = method }).method)
      end
      local response = assert(client:fetch(dev.app .. "/api/hello", { method = "HEAD" }))
      assert.equal(200, response.status)
      assert.equal("", response.body)
    end)

    it("a string as body, as it is", function()
      for _, body in ipairs { "text", "", "\0\1\255\r\n", ("x"):rep(100000) } do
        local response = assert(client:fetch(dev.app .. "/api/echo", { body = body }))
        local saw = require("dkjson").decode(response.body) -- ours refuses the \u0000 in it
        assert.equal("POST", saw.method)
        assert.equal(#body, saw.body_bytes)
        assert.equal(#body > 1000 and "" or (require("mime").b64(body) or ""), saw.body_base64 or "")
        assert.equal(tostring(#body), saw.headers["content-length"])
        assert.is_nil(saw.headers["content-type"])
      end
      assert.equal("PUT", echo({ method = "PUT", body = "x" }).method)
    end)

    it("a function's pieces as body, chunked, or with the length that was said", function()
      local function pieces(list)
        local i = 0
        return function()
          i = i + 1
          return list[i]
        end
      end
      local saw = echo { body = pieces { "one", "", "two", ("3"):rep(70000) } }
      assert.equal(70006, saw.body_bytes)
      assert.equal("chunked", saw.headers["transfer-encoding"])
      saw = echo { method = "PUT", body = pieces { "one", "two" }, body_length = 6 }
      assert.equal("onetwo", saw.body)
      assert.equal("6", saw.headers["content-length"])
      assert.is_nil(saw.headers["transfer-encoding"])
    end)

    it("a value as JSON", function()
      local saw = echo { json = { a = { 1, 2, "x" }, b = authgear.null, c = true, d = authgear.array {}, e = "\195\164\n" } }
      assert.equal("application/json", saw.headers["content-type"])
      local json = require "dkjson"
      assert.same({ a = { 1, 2, "x" }, c = true, d = {}, e = "\195\164\n" }, (json.decode(saw.body)))
      assert.truthy(saw.body:find '"b":null')
      assert.truthy(saw.body:find('"d":[]', 1, true))
      assert.equal("false", echo({ json = false }).body)
      assert.equal("application/vnd.x+json",
        echo({ json = {}, headers = { ["Content-Type"] = "application/vnd.x+json" } }).headers["content-type"])
    end)

    it("fields as a form", function()
      local saw = echo { form = { name = "a b&c=d", n = 7, yes = true, ["\195\164"] = "+" } }
      assert.equal("POST", saw.method)
      assert.equal("application/x-www-form-urlencoded", saw.headers["content-type"])
      assert.equal("n=7&name=a%20b%26c%3Dd&yes=true&%C3%A4=%2B", saw.body)
    end)

    it("a query, added to what the URL has, before its fragment", function()
      assert.same({ a = "1", b = "x y&" }, echo { query = { a = 1, b = "x y&" } }.query)
      assert.same({ q = "0", a = "1" }, echo({ query = { a = 1 } }, "/api/echo?q=0#part").query)
      assert.equal("/api/echo", echo({ query = {} }).raw_url)
    end)

    it("headers, also several of a name, and numbers", function()
      local saw = echo { headers = { ["X-One"] = "1", ["X-Number"] = 7, ["X-List"] = { "a", "b" }, ["User-Agent"] = "mine/1" } }
      assert.equal("1", saw.headers["x-one"])
      assert.equal("7", saw.headers["x-number"])
      assert.equal("a, b", saw.headers["x-list"])
      assert.equal("mine/1", saw.headers["user-agent"])
    end)

    it("the configured user agent", function()
      client = fetcher:open { user_agent = "game/2.0" }
      for _ = 1, 2 do
        assert.equal("game/2.0", echo().headers["user-agent"])
      end
    end)

    it("no token when told so, nor beside an Authorization header of the caller's", function()
      assert.is_false(echo({ authorization = false }, "/public/echo").authorization)
      local saw = echo({ headers = { authorization = "Basic eDp5" } }, "/public/echo")
      assert.equal("Basic eDp5", saw.headers.authorization)
      assert.equal(authgear.null, saw.bearer)
    end)

    it("a request without a session, without a token", function()
      assert.is_true(client:logout())
      assert.is_false(echo(nil, "/public/echo").authorization)
      local response = assert(client:fetch(dev.app .. "/api/hello"))
      assert.equal(401, response.status)
      assert.equal(0, refreshes())
    end)
  end)

  describe("gives", function()
    before_each(function()
      begin()
    end)

    it("status, ok, headers in any case, body, JSON, the URL", function()
      local response = assert(client:fetch(dev.app .. "/api/headers?n=2&size=5"))
      assert.equal(200, response.status)
      assert.is_true(response.ok)
      for _, name in ipairs { "X-Filler-1", "x-filler-1", "X-FILLER-1" } do
        assert.equal("xxxxx", response.headers[name])
      end
      assert.equal("one, two", response.headers["X-Twice"])
      assert.is_nil(response.headers["X-Filler-3"])
      assert.equal(2, response:json().headers)
      assert.equal(dev.app .. "/api/headers?n=2&size=5", response.url)
      assert.is_false(assert(client:fetch(dev.app .. "/api/status/404")).ok)
      assert.equal("", assert(client:fetch(dev.app .. "/api/status/204")).body)
    end)

    it("bodies decompressed", function()
      for _, how in ipairs { "gzip", "deflate" } do
        assert.equal(("a"):rep(50000), assert(client:fetch(dev.app .. "/api/" .. how .. "?n=50000")).body)
      end
    end)

    it("JSON only where there is some, and the caller's own decoding", function()
      local response = assert(client:fetch(dev.app .. "/api/bytes?b64=bm90IGpzb24="))
      assert.equal("not json", response.body)
      local value, err = response:json()
      assert.is_nil(value)
      assert.equal("json", err.code)
      client = fetcher:open { json = function(text)
        return text == "7" and "seven" or error "no"
      end }
      assert.equal("seven", assert(client:fetch(dev.app .. "/api/bytes?b64=Nw==")):json())
      value, err = assert(client:fetch(dev.app .. "/api/bytes?b64=OA==")):json()
      assert.is_nil(value)
      assert.equal("json", err.code)
    end)

    it("a long body to a sink, in pieces", function()
      local bytes, pieces = 0, 0
      local response = assert(client:fetch(dev.app .. "/api/big?n=1000000", { sink = function(piece)
        bytes, pieces = bytes + #piece, pieces + 1
      end }))
      assert.equal(200, response.status)
      assert.is_nil(response.body)
      assert.equal(1000000, bytes)
      assert.is_true(pieces > 1)
    end)

    it("the sink nothing of a redirect or of a 401 that is tried again", function()
      local got = {}
      local function sink(piece, head) -- the second is the response the piece belongs to, which has no body yet
        got[#got + 1] = piece
        assert.equal(200, head.status)
        assert.equal("application/json", head.headers["Content-Type"]:match "^[^;]+")
        assert.equal(dev.app .. "/api/hello", head.url)
        assert.is_nil(head.body)
      end
      local response = assert(client:fetch(dev.app .. "/api/redirect/302?path=/api/hello", { sink = sink }))
      assert.equal(200, response.status)
      assert.truthy(table.concat(got):find '^{"hello"')
      got = {}
      dev:expire {}
      response = assert(client:fetch(dev.app .. "/api/hello", { sink = sink }))
      assert.equal(200, response.status)
      assert.truthy(table.concat(got):find '^{"hello"')
      assert.equal(1, refreshes())
    end)

    it("the end of a request that its sink, its body or `cancelled` wants", function()
      local cases = {
        user_code = { sink = function()
          return false
        end },
        cancelled = { cancelled = function()
          return true
        end },
      }
      for code, init in pairs(cases) do
        local response, err = client:fetch(dev.app .. "/api/big?n=1000000", init)
        assert.is_nil(response)
        assert.equal(code, err.code)
        assert.is_false(err.retryable)
      end
      local _, err = client:fetch(dev.app .. "/api/echo", { body = function()
        return nil, "my disk"
      end })
      assert.equal("user_code", err.code)
      local asked = 0
      _, err = client:fetch(dev.app .. "/api/slow?ms=8000", { cancelled = function()
        asked = asked + 1
        return asked > 2
      end })
      assert.equal("cancelled", err.code)
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("what a sink raises to the caller, and works on", function()
      local ok, raised = pcall(client.fetch, client, dev.app .. "/api/big?n=10000", { sink = function()
        error({ "mine" }, 0)
      end })
      assert.is_false(ok)
      assert.same({ "mine" }, raised)
      assert.is_true(echo().token_valid)
    end)
  end)

  describe("on a redirect", function()
    before_each(function()
      begin()
    end)

    it("within the origin takes the token along", function()
      local saw, response = echo(nil, "/api/redirect/302?path=/api/echo")
      assert.is_true(saw.token_valid)
      assert.equal(dev.app .. "/api/echo", response.url)
    end)

    it("to another origin leaves the token behind, and every other secret header, for good", function()
      for _, code in ipairs { 301, 302, 303, 307, 308 } do
        local saw = echo({ headers = { Cookie = "a=b", ["X-Mine"] = "kept" } },
          "/api/redirect/" .. code .. "?cross=/public/echo")
        assert.is_false(saw.authorization)
        assert.is_nil(saw.headers.cookie)
        assert.equal("kept", saw.headers["x-mine"])
      end
      -- There and back again: it does not come back.
      local back = dev.app .. "/public/echo"
      local saw = echo(nil, "/api/redirect/302?cross=/public/redirect/302?to=" .. back)
      assert.is_false(saw.authorization)
      -- The caller's own Authorization header stays behind as well; within the origin it does not.
      saw = echo({ headers = { Authorization = "Basic eDp5" } }, "/public/redirect/302?cross=/public/echo")
      assert.is_false(saw.authorization)
      assert.is_true(echo({ headers = { Authorization = "Basic eDp5" } }, "/public/redirect/302?path=/public/echo").authorization)
    end)

    it("turns a POST into a GET, or repeats it, as its status says", function()
      for code, method in pairs { [301] = "GET", [302] = "GET", [303] = "GET", [307] = "POST", [308] = "POST" } do
        local saw = echo({ body = "text", headers = { ["Content-Type"] = "text/plain" } },
          "/api/redirect/" .. code .. "?path=/api/echo")
        assert.equal(method, saw.method, code)
        assert.equal(method == "POST" and "text" or "", saw.body, code)
        assert.equal(method == "POST" and "text/plain" or nil, saw.headers["content-type"])
      end
    end)

    it("can't repeat a function's body", function()
      local given = false
      local response, err = client:fetch(dev.app .. "/api/redirect/307?path=/api/echo", { body = function()
        if not given then
          given = true
          return "once"
        end
      end })
      assert.is_nil(response)
      assert.equal("redirect", err.code)
    end)

    it("follows as many hops as wanted", function()
      assert.is_true(echo(nil, "/api/redirect/302?n=10").body_bytes == 0)
      local response, err = client:fetch(dev.app .. "/api/redirect/302?n=11")
      assert.is_nil(response)
      assert.equal("redirect", err.code)
      response = assert(client:fetch(dev.app .. "/api/redirect/302?n=3", { max_redirects = 0 }))
      assert.equal(302, response.status)
      assert.truthy(response.headers.location)
      response, err = client:fetch(dev.app .. "/api/redirect/302?n=3", { max_redirects = 2 })
      assert.is_nil(response)
      assert.equal("redirect", err.code)
      assert.equal(200, assert(client:fetch(dev.app .. "/api/redirect/302?n=3", { max_redirects = 3 })).status)
    end)

    it("refuses to leave http(s), and to go to plain http elsewhere", function()
      for _, to in ipairs { "ftp://127.0.0.1/x", "file:///etc/passwd", "http://example.com/", "javascript:x", "//" } do
        local response, err = client:fetch(dev.app .. "/api/redirect/302", { query = { to = to } })
        assert.is_nil(response, to)
        assert.equal("redirect", err.code, to)
        assert.equal(302, err.status)
      end
    end)
  end)

  describe("sends the token to", function()
    it("allowed origins only, where there is a list", function()
      begin { allowed_origins = { dev.app } }
      assert.is_true(echo().token_valid)
      assert.is_true(echo().token_valid)
      local saw = assert(client:fetch(dev.other_app .. "/public/echo")):json()
      assert.is_false(saw.authorization)
      -- A redirect from one that is not on the list to one that is does not get it either.
      saw = assert(client:fetch(dev.other_app .. "/public/redirect/302?cross=/public/echo")):json()
      assert.is_false(saw.authorization)
      -- Nor is a 401 from elsewhere any reason to refresh.
      assert.equal(401, assert(client:fetch(dev.other_app .. "/api/hello")).status)
      assert.equal(0, refreshes())
      -- Nor does one that differs from the last good one in its port alone.
      for _ = 1, 2 do
        assert.is_true(echo().token_valid)
        assert.equal(401, assert(client:fetch(dev.other_app .. "/api/echo")).status)
      end
      client = fetcher:open { allowed_origins = { dev.app, dev.other_app .. "/any/path" } }
      assert.is_true(assert(client:fetch(dev.other_app .. "/api/echo")):json().token_valid)
    end)

    it("loopback or https, never plain http elsewhere", function()
      begin()
      for _, url in ipairs { "http://example.com/", "http://127.0.0.1.example.com/", "http://user@127.0.0.1/" } do
        local response, err = client:fetch(url)
        assert.is_nil(response)
        assert.truthy(err.code == "insecure_url" or err.code == "invalid_url", err.code)
      end
    end)
  end)
end

describe("fetch", function()
  show(false)
end)

describe("fetch, at once where it can be", function()
  show(true)
end)
