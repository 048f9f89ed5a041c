-- Servers that break, lie or are not there: each gives a stable code, a message without a path or query,
-- and says whether trying again may help and whether the server can have seen the request.
local files = require "spec.support.files"
local raw_server = require "spec.support.raw_server"
local curl = require "authgear.transport.curl"
local with = require "spec.support.with"

describe("a server that", function()
  local server, transport

  setup(function()
    server = raw_server.start()
  end)
  teardown(function()
    server:stop()
  end)
  before_each(function()
    transport = curl.new { proxy = "", ca_file = server.ca }
  end)
  after_each(function()
    transport:close()
  end)

  -- Every request carries canaries where a message could pick them up.
  local function try(url, more)
    local res, code, message, retryable, sent = transport:send(with({
      method = "GET", url = url .. "?code=canary-query", timeout = 10, headers = "Authorization: Bearer canary-header\r\n",
    }, more))
    assert.is_nil(res)
    assert.falsy(message:find("canary", 1, true))
    assert.falsy(message:find("/", 1, true) and not message:find("HTTP/2", 1, true))
    return { code, retryable, sent }, message
  end

  local raw_faults = {
    { "closes without an answer", "/close", "network", true },
    { "resets the connection", "/reset", "network", true },
    { "cuts the body short", "/truncated", "network", true },
    { "resets in the body", "/reset-body", "network", true },
    { "ends a chunked body early", "/cut-chunk", "network", true },
    { "sends bad chunks", "/bad-chunk", "network", true },
    { "answers only 100 Continue", "/only-1xx", { network = true, invalid_response = true } },
    { "sends garbage", "/garbage", "invalid_response", false },
    { "sends a bad status line", "/bad-status", "invalid_response", false },
    { "has its reason repeated in errors of libcurl", "/secret-in-reason", "invalid_response", false },
    { "sends a header with a zero byte", "/nul-header", "invalid_response", false },
  }
  for _, fault in ipairs(raw_faults) do
    it(fault[1], function()
      for _, how in ipairs { {}, { method = "POST", body = "canary-body", fresh = true }, { sink = function() end } } do
        local what, message = try(server:url("raw", fault[2]), how)
        if type(fault[3]) == "table" then
          assert.is_true(fault[3][what[1]], message)
        else
          assert.same({ fault[3], fault[4], true }, what)
        end
      end
      assert.equal("ok", assert(transport:send { method = "GET", url = server:url("raw", "/1xx"), timeout = 5 }).body)
    end)
  end

  it("compresses badly", function()
    assert.same({ "invalid_response", false, true }, (try(server:url("http", "/badgzip"))))
  end)

  it("is not there", function()
    local what, message = try("http://127.0.0.1:" .. server.dead .. "/secret-path")
    assert.same({ "network", true, false }, what)
    assert.equal("could not connect to 127.0.0.1:" .. server.dead, message)
    assert.same({ "network", true, false }, (try("http://[::1]:" .. server.dead .. "/")))
  end)

  it("has a name that nobody knows", function()
    local what, message = try("http://nowhere.invalid:81/secret-path")
    assert.same({ "dns", true, false }, what)
    assert.equal("the name of nowhere.invalid:81 could not be looked up", message)
  end)

  it("is not there again, under a steady stream of requests, and nothing piles up", function()
    try(server:url("raw", "/reset"))
    local before = files.descriptors()
    for _ = 1, 50 do
      try(server:url("raw", "/reset"))
      try("http://127.0.0.1:" .. server.dead .. "/")
    end
    assert.is_true(files.descriptors() <= before + 1)
  end)

  it("says no while the body is still going up: its answer arrives", function()
    local asked = 0
    local res = assert(transport:send { method = "POST", url = server:url("raw", "/early-413"), timeout = 10,
      source = function()
        asked = asked + 1
        return asked <= 2000 and ("x"):rep(65536) or nil
      end })
    assert.equal(413, res.status)
    assert.equal("big", res.body)
    assert.is_true(asked < 2000)
    res = assert(transport:send { method = "POST", url = server:url("raw", "/early-413"), timeout = 10,
      body = ("x"):rep(3000000) })
    assert.equal(413, res.status)
  end)

  describe("speaks TLS and", function()
    local function https(port, more, host)
      return try("https://" .. (host or "localhost") .. ":" .. server[port] .. "/echo", more)
    end

    it("has a certificate that expired", function()
      local what, message = https("expired")
      assert.same({ "tls", false, false }, what)
      assert.equal("the certificate of localhost:" .. server.expired .. " has expired", message)
    end)

    it("has a certificate for another name", function()
      local what, message = https("other")
      assert.same({ "tls", false, false }, what)
      assert.equal("the certificate of localhost:" .. server.other .. " is for another name", message)
      what, message = https("other", nil, "127.0.0.1")
      assert.same({ "tls", false, false }, what)
      assert.truthy(message:find("another name", 1, true))
    end)

    it("has signed its certificate itself", function()
      local what, message = https("self")
      assert.same({ "tls", false, false }, what)
      assert.truthy(message:find("self-signed", 1, true))
    end)

    it("has a certificate of an authority that is not trusted here", function()
      transport = curl.new { proxy = "" }
      local what, message = https("tls")
      assert.same({ "tls", false, false }, what)
      assert.truthy(message:find("signed by nobody who is trusted here", 1, true))
    end)

    it("knows nothing newer than TLS 1.1", function()
      assert.same({ "tls", false, false }, (https("old_tls")))
    end)

    it("speaks no TLS after all", function()
      assert.same({ "tls", false, false }, (https("not_tls")))
    end)

    it("is reset in the hand-shake: the network's fault, not the certificate's", function()
      assert.same({ "network", true, false }, (https("tls_reset")))
    end)

    it("hangs up while we send, which is no SIGPIPE for us", function()
      local out = raw_server.run(([[
        local t = require("authgear.transport.curl").new { proxy = "", ca_file = %q }
        for i = 1, 3 do
          local n = 0
          print(t:send { method = "POST", url = %q, timeout = 10, headers = "",
            source = function() n = n + 1 return n < 3000 and ("x"):rep(65536) or nil end })
        end
      ]]):format(server.ca, "https://localhost:" .. server.tls_drop .. "/"))
      assert.equal(3, select(2, out:gsub("nil%s+network%s", "")))
      assert.truthy(out:find("status 0", 1, true))
    end)

    it("is trusted through a file that is not there", function()
      transport = curl.new { proxy = "", ca_file = "/nowhere/ca.pem" }
      local what, message = https("tls")
      assert.equal("tls", what[1])
      assert.equal("the file of trusted certificates can't be read", message)
    end)
  end)
end)
