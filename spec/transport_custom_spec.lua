-- A user's own HTTP client as the transport: the shape it sees, and what of its answers is let through.
local custom = require "authgear.transport.custom"
local with = require "spec.support.with"

describe("a transport of the user's own", function()
  local function request(more)
    return with({
      method = "POST", url = "https://server.test/path?code=canary", headers = "X-One: 1\r\nAuthorization: Bearer canary\r\n",
      body = "canary-body", timeout = 5, connect_timeout = 2, max_body = 1000,
    }, more)
  end

  local function answer(response, err)
    return custom.wrap(function() return response, err end):send(request())
  end

  local function failure(response, err)
    local res, code, message, retryable, sent = answer(response, err)
    assert.is_nil(res)
    assert.is_string(message)
    assert.is_boolean(retryable)
    assert.is_true(sent)
    return code, message, retryable
  end

  it("sees the request as a plain table", function()
    local seen, self_seen
    local client = { send = function(self, r) self_seen, seen = self, r return { status = 200 } end }
    local transport = custom.wrap(client)
    local cancelled = function() return false end
    assert(transport:send(request { headers = "X-One: 1\r\nX-Two:\r\nx-one: 2\r\nX-ONE: a: b\r\n", cancelled = cancelled, fresh = true }))
    assert.equal(client, self_seen)
    assert.same({ method = "POST", url = "https://server.test/path?code=canary",
      headers = { ["X-One"] = { "1", "2", "a: b" }, ["X-Two"] = "" }, body = "canary-body", timeout = 5, connect_timeout = 2,
      max_body = 1000, fresh = true, cancelled = cancelled }, seen)
    assert(transport:send { method = "GET", url = "http://127.0.0.1/" })
    assert.same({ method = "GET", url = "http://127.0.0.1/", headers = {}, fresh = false }, seen)
  end)

  it("answers with a table of headers or a raw block", function()
    local blocks = {
      { nil, "" },
      { {}, "" },
      { { ["content-type"] = "a/b", ["X-N"] = 5, ["Set-Cookie"] = { "a=1", "b=2" } },
        "Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-N: 5\r\ncontent-type: a/b\r\n" },
      { "Content-Type: a/b\r\nX-A:  b \r\n", "Content-Type: a/b\r\nX-A: b\r\n" },
      { "HTTP/1.1 200 OK\r\nX-A: 1\r\n\r\n", "X-A: 1\r\n" },
      { "X-A: 1\nX-B: 2", "X-A: 1\r\nX-B: 2\r\n" },
    }
    for _, case in ipairs(blocks) do
      local res = assert(answer { status = 200, headers = case[1], body = "hello" })
      assert.same({ status = 200, headers = case[2], body = "hello" }, res)
    end
    assert.same({ status = 204, headers = "", body = "", http_version = "2" }, assert(answer { status = 204, http_version = "2" }))
    assert.equal("a\0b", assert(answer { status = 200, body = "a\0b" }).body)
  end)

  it("is not believed when its answer has the wrong shape", function()
    for _, bad in ipairs {
      5, "200", true, {}, { status = "200" }, { status = 200.5 }, { status = 0 / 0 }, { status = 100 }, { status = 600 },
      { status = -1 / 0 }, { status = 200, body = 5 }, { status = 200, body = {} }, { status = 200, headers = 5 },
      { status = 200, headers = { [1] = "x" } }, { status = 200, headers = { ["X A"] = "x" } },
      { status = 200, headers = { [""] = "x" } }, { status = 200, headers = { ["X-A\r\nX-B"] = "x" } },
      { status = 200, headers = { ["X-A"] = "x\r\nX-B: y" } }, { status = 200, headers = { ["X-A"] = "x\0" } },
      { status = 200, headers = { ["X-A"] = true } }, { status = 200, headers = { ["X-A"] = { {} } } },
      { status = 200, headers = "no header" }, { status = 200, headers = ": x\r\n" }, { status = 200, headers = "A: b\rC: d\r\n" },
    } do
      local code, message, retryable = failure(bad)
      assert.equal("invalid_response", code)
      assert.is_false(retryable)
      assert.equal(1, message:find("the transport's response: ", 1, true))
    end
    assert(answer { status = 200, headers = { ["X-A"] = "x" }, body = "" })
  end)

  it("is held to max_body", function()
    assert.equal(1000, #assert(answer { status = 200, body = ("x"):rep(1000) }).body)
    assert.equal("too_large", (failure { status = 200, body = ("x"):rep(1001) }))
  end)

  it("says what went wrong with a text, of which only plain words are repeated", function()
    for text, expected in pairs {
      ["connection refused"] = { "network", "the transport failed: connection refused" },
      ["timeout"] = { "timeout", "the transport failed: timeout" },
      ["Operation timed out."] = { "timeout", "the transport failed: Operation timed out." },
      ["no route to host"] = { "network", "the transport failed: no route to host" },
      ["GET https://server.test/path?code=canary failed"] = { "network", "the transport failed: GET *** failed" },
      ["bad token eyJhbGciOiJSUzI1NiJ9.x"] = { "network", "the transport failed: bad token ***" },
    } do
      local code, message, retryable = failure(nil, text)
      assert.same(expected, { code, message })
      assert.is_true(retryable)
    end
    for _, canary in ipairs { "AbCdEfGhIjKlMnOp", "canary-refresh", "a1b2c3d4e5", "canary_x", "Zm9vYmFy==", ("lower"):rep(10) } do
      for _, text in ipairs { canary, "x " .. canary .. ", y", "token=" .. canary, "\n" .. canary .. ".", ("w "):rep(50) .. canary } do
        local _, message = failure(nil, text)
        assert.falsy(message:find(canary:sub(1, 8), 1, true), message)
      end
    end
  end)

  it("says what went wrong with an error table, which is passed on", function()
    assert.same({ "tls", "no trust", false }, { failure(nil, { code = "tls", message = "no trust" }) })
    assert.same({ "timeout", "late", true }, { failure(nil, { code = "timeout", message = "late" }) })
    assert.same({ "network", "x", false }, { failure(nil, { code = "network", message = "x", retryable = false }) })
    assert.same({ "network", "x", true }, { failure(nil, { code = "made_up", message = "x" }) })
    assert.same({ "network", "the transport failed", true }, { failure(nil, {}) })
    assert.same({ "network", "the transport failed", true }, { failure(nil, { code = 5, message = {} }) })
    assert.same({ "network", "the transport failed", true }, { failure(nil, nil) })
    assert.same({ "network", "the transport failed", true }, { failure(false) })
  end)

  it("may raise, and only the kind of the error is told", function()
    for kind, value in pairs { string = "canary", table = { "canary" }, boolean = true } do
      local res, code, message = custom.wrap(function() error(value) end):send(request())
      assert.is_nil(res)
      assert.equal("user_code", code)
      assert.equal("the transport raised an error (a " .. kind .. ")", message)
    end
  end)

  it("may yield, and be raised in while it does", function()
    local transport = custom.wrap { send = function(_, r)
      local got = coroutine.yield(r.method)
      if got == "fail" then
        error("canary")
      end
      return { status = 200, body = got }
    end }
    for _, what in ipairs { "hello", "fail" } do
      local co = coroutine.create(function() return transport:send(request()) end)
      local ok, first = coroutine.resume(co)
      assert.same({ true, "POST" }, { ok, first })
      local _, res, code = coroutine.resume(co, what)
      if what == "fail" then
        assert.same({ nil, "user_code" }, { res, code })
      else
        assert.equal("hello", res.body)
      end
    end
  end)

  it("is not called for a request that was cancelled, and gets the question to ask itself", function()
    local calls = 0
    local transport = custom.wrap(function(r) calls = calls + 1 return nil, { code = r.cancelled() and "cancelled" or "network" } end)
    local res, code, _, _, sent = transport:send(request { cancelled = function() return true end })
    assert.same({ nil, "cancelled", false, 0 }, { res, code, sent, calls })
    local asked = 0
    res, code = transport:send(request { cancelled = function() asked = asked + 1 return asked > 1 end })
    assert.same({ nil, "cancelled", 1 }, { res, code, calls })
  end)

  describe("that does not stream", function()
    local function pieces(...)
      local left = { ... }
      return function() return table.remove(left, 1) end
    end
    local function echo(r)
      return { status = 200, body = r.body }
    end

    it("gets the whole body of a source", function()
      local transport = custom.wrap(echo)
      assert.equal("abc", assert(transport:send(request { body = false, source = pieces("a", "", "bc") })).body)
      assert.equal("abc", assert(transport:send(request { source = pieces("abc"), source_length = 3 })).body)
      for _, bad in ipairs { function() return nil, "canary" end, function() return 5 end } do
        local res, code, message, _, sent = transport:send(request { source = bad })
        assert.same({ nil, "user_code", false }, { res, code, sent })
        assert.falsy(message:find("canary", 1, true))
      end
      assert.equal("user_code", (select(2, transport:send(request { source = pieces("abc"), source_length = 4 }))))
      assert.equal("too_large", (select(2, transport:send(request { source = function() return ("x"):rep(1024 * 1024) end }))))
    end)

    it("has its answer handed to the sink, if accept says so", function()
      local transport, got = custom.wrap(function() return { status = 404, headers = { A = "1" }, body = "body" } end), {}
      local function sink(b) got[#got + 1] = b end
      local res = assert(transport:send(request { sink = sink }))
      assert.same({ status = 404, headers = "A: 1\r\n" }, res)
      assert.same({ "body" }, got)
      local seen
      res = assert(transport:send(request { sink = sink, accept = function(...) seen = { ... } return false end }))
      assert.same({ 404, "A: 1\r\n" }, seen)
      assert.equal("body", res.body)
      assert.equal(1, #got)
      assert.equal("user_code", (select(2, transport:send(request { sink = function() return false end }))))
      assert.error_matches(function() transport:send(request { sink = function() error("boom") end }) end, "boom")
    end)
  end)

  it("is closed with the client, if it can be", function()
    local closed
    local client = { send = function() end, close = function(self) closed = self end }
    custom.wrap(client):close()
    assert.equal(client, closed)
    custom.wrap(function() end):close()
    custom.wrap({ send = function() end, close = function() error("no") end }):close()
  end)

  it("must be a function or have one called send", function()
    for _, bad in ipairs { 5, "x", {}, { send = 5 } } do
      assert.error_matches(function() custom.wrap(bad) end, "transport")
    end
    assert.error_matches(function() custom.wrap(nil) end, "transport")
  end)
end)
