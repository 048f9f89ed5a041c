-- Each of our own allocations during a transfer fails in turn (libcurl's own are libcurl's): an error, nothing
-- half done, and the next request works.
local raw_server = require "spec.support.raw_server"
local transports = require "authgear.transport.curl"

describe("a transfer without memory", function()
  local server, curl

  setup(function()
    server = raw_server.start()
    curl = require "authgear.curl"
  end)
  teardown(function()
    curl.test_alloc(0)
    server:stop()
  end)

  local function in_turn(name, action)
    it(name, function()
      local failed, n = 0, 0
      repeat
        n = n + 1
        assert(n < 500, "no end of allocations")
        local transport = transports.new { proxy = "", no_proxy = "x", ca_file = server.ca }
        curl.test_alloc(n)
        local res, code, message = action(transport)
        local count = curl.test_alloc(0)
        if not res then
          failed = failed + 1
          assert.same({ n, "memory", "out of memory" }, { n, code, message })
        end
        local again = assert(transport:send { method = "GET", url = server:url("http", "/bytes/5"), timeout = 10 })
        assert.equal("yyyyy", again.body)
        transport:close()
      until count < n
      assert.is_true(failed > 3, failed .. " failures")
    end)
  end

  in_turn("that is buffered", function(transport)
    local res, code, message = transport:send { method = "POST", url = server:url("http", "/echo"), timeout = 10,
      headers = ("X-Header: value\r\n"):rep(200), body = ("b"):rep(5000), secret = true }
    if res then
      assert.equal(("b"):rep(5000), res.body:sub(-5000))
    end
    return res, code, message
  end)

  in_turn("that repeats a URL and takes a large body", function(transport)
    local req = { method = "GET", url = server:url("http", "/bytes/300000"), timeout = 10 }
    for _ = 1, 2 do
      local res, code, message = transport:send(req)
      if not res then
        return nil, code, message
      end
      assert.equal(300000, #res.body)
    end
    return true
  end)

  in_turn("that streams both ways", function(transport)
    local left, got = 10, 0
    return transport:send { method = "POST", url = server:url("http", "/echo"), timeout = 10,
      source = function() left = left - 1 return left >= 0 and ("s"):rep(20000) or nil end,
      sink = function(bytes) got = got + #bytes end }
  end)

  in_turn("that goes in two halves", function(transport)
    local t, code, message = transport:prepare { method = "POST", url = server:url("http", "/wait/10"), body = "x", timeout = 10,
      fresh = true, secret = true }
    if not t then
      return nil, code, message
    end
    t:perform()
    local res
    res, code, message = t:result()
    t:close()
    return res, code, message
  end)
end)
