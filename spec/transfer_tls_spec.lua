-- TLS, HTTP/2, proxies and forks: which way a request goes.
local raw_server = require "spec.support.raw_server"
local curl = require "authgear.transport.curl"
local with = require "spec.support.with"

describe("the way to the server", function()
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

  local function https(path, host)
    return "https://" .. (host or "localhost") .. ":" .. server.tls .. path
  end

  describe("over TLS", function()
    it("is HTTP/2, on one kept connection", function()
      local before = server:stats().tls_accepted
      for _ = 1, 5 do
        local res = assert(transport:send { method = "POST", url = https("/echo"), body = "hello", timeout = 60 })
        assert.equal("2", res.http_version)
        assert.equal("hello", res.body:sub(-5))
      end
      assert(transport:send { method = "GET", url = https("/mb/3"), sink = function() end, timeout = 60 })
      assert.equal(before + 1, server:stats().tls_accepted)
    end)

    it("outlives the number of HTTP/2 requests after which servers take libcurl for an attacker", function()
      local before = server:stats().tls_accepted
      for i = 1, 1700 do
        local res, _, message = transport:send { method = "GET", url = https("/bytes/1"), timeout = 60 }
        assert(res, i .. ": " .. tostring(message))
      end
      assert.equal(before + 3, server:stats().tls_accepted)
    end)

    it("takes names and addresses the certificate is for", function()
      for _, host in ipairs { "localhost", "127.0.0.1" } do
        assert.equal(200, assert(transport:send { method = "GET", url = https("/echo", host), timeout = 60 }).status)
      end
    end)

    it("has no request in it twice when the server refuses a stream", function()
      local function refused(fresh)
        local before = server:stats().refused
        local res, code, _, _, sent = transport:send { method = "POST", url = https("/refuse-h2"), body = "x", timeout = 60,
          fresh = fresh }
        assert.is_nil(res)
        assert.equal("network", code)
        assert.is_true(sent)
        return server:stats().refused - before
      end
      assert.is_true(refused(false) > 1) -- libcurl does repeat it
      assert.equal(1, refused(true))
    end)

    it("trusts the file that SSL_CERT_FILE or CURL_CA_BUNDLE names", function()
      local script = ([[
        local res, code = require("authgear.transport.curl").new { proxy = "" }:send { method = "GET", url = %q, timeout = 60 }
        print(res and res.status or code)
      ]]):format(https("/echo"))
      assert.equal("tls\nstatus 0\n", raw_server.run(script))
      assert.equal("200\nstatus 0\n", raw_server.run(script, { SSL_CERT_FILE = server.ca }))
      assert.equal("200\nstatus 0\n", raw_server.run(script, { CURL_CA_BUNDLE = server.ca }))
    end)
  end)

  describe("through a proxy", function()
    local function proxied(more)
      return curl.new(with({ proxy = "http://127.0.0.1:" .. server.proxy, ca_file = server.ca }, more))
    end

    it("goes for http as a whole, for https as a tunnel that sees no header", function()
      local t = proxied()
      local before = server:stats()
      for _ = 1, 3 do
        assert.equal(200, assert(t:send { method = "GET", url = "http://server.test/echo", timeout = 60 }).status)
      end
      local res = assert(t:send { method = "GET", url = "https://server.test/echo", timeout = 60,
        headers = "Authorization: Bearer canary\r\n" })
      assert.truthy(res.body:find("authorization: Bearer canary", 1, true))
      assert.equal("2", res.http_version)
      assert.falsy(res.headers:find("X-Proxy", 1, true))
      local now = server:stats()
      assert.equal(before.proxied + 3, now.proxied)
      assert.equal(before.connects + 1, now.connects)
      assert.equal("server.test:443", now.last_connect)
      assert.equal("none", now.last_connect_auth)
      t:close()
    end)

    it("that refuses is a network error, and nothing was sent", function()
      local t = proxied()
      local res, code, message, retryable, sent = t:send { method = "GET", url = "https://forbidden.test/secret", timeout = 60 }
      assert.is_nil(res)
      assert.equal("network", code)
      assert.is_true(retryable)
      assert.is_false(sent)
      assert.falsy(message:find("secret", 1, true))
      t:close()
    end)

    it("that is not there fails, except for loopback, however that is written", function()
      local t = proxied { proxy = "http://127.0.0.1:" .. server.dead }
      local res, code = t:send { method = "GET", url = "http://server.test/echo", timeout = 60 }
      assert.is_nil(res)
      assert.equal("network", code)
      for _, host in ipairs { "127.0.0.1", "localhost", "LOCALHOST", "a.localhost", "127.1", "0x7f.0.0.1", "2130706433",
        "0177.1" } do
        local answer, why, message = t:send { method = "GET", url = "http://" .. host .. ":" .. server.http .. "/echo", timeout = 60 }
        assert.same({ host, 200 }, { host, answer and answer.status or why .. ": " .. tostring(message) })
      end
      -- nobody listens there on ::1: the message says which host was not reached
      for _, host in ipairs { "[::1]", "[0:0:0:0:0:0:0:1]" } do
        local _, why, message = t:send { method = "GET", url = "http://" .. host .. ":" .. server.dead .. "/", timeout = 60 }
        assert.equal("network", why)
        assert.equal("could not connect to [::1]:" .. server.dead, message)
      end
      assert.equal("dns", (select(2, t:send { method = "GET", url = "http://localhost.:1/", timeout = 60 }))) -- libcurl's limit
      -- and these only look like it
      for _, host in ipairs { "localhost.test", "127.0.0.1.test", "notlocalhost", "128.0.0.1" } do
        assert.is_nil((t:send { method = "GET", url = "http://" .. host .. ":" .. server.http .. "/echo", timeout = 60 }))
      end
      t:close()
    end)

    it("is left out for the hosts of no_proxy", function()
      local t = proxied { no_proxy = "nowhere.invalid" }
      local before = server:stats().proxied
      assert.equal("dns", (select(2, t:send { method = "GET", url = "http://nowhere.invalid/", timeout = 60 })))
      assert(t:send { method = "GET", url = "http://server.test/echo", timeout = 60 })
      assert.equal(before + 1, server:stats().proxied)
      t:close()
    end)

    it("goes as the environment says, loopback aside", function()
      local script = ([[
        local t = require("authgear.transport.curl").new { %s ca_file = %q }
        for _, url in ipairs { "http://server.test/echo", "https://server.test/echo", %q, %q } do
          local res, code = t:send { method = "GET", url = url, timeout = 60 }
          io.write(res and res.status or code, " ")
        end
      ]])
      local here, there = server:url("http", "/echo"), https("/echo")
      local alive, dead = "http://127.0.0.1:" .. server.proxy, "http://127.0.0.1:" .. server.dead
      local asked = script:format("", server.ca, here, there)
      assert.equal("200 200 200 200 status 0\n", raw_server.run(asked, { http_proxy = alive, https_proxy = alive }))
      assert.equal("200 200 200 200 status 0\n", raw_server.run(asked, { all_proxy = alive }))
      assert.equal("network network 200 200 status 0\n", raw_server.run(asked, { http_proxy = dead, https_proxy = dead }))
      local never = script:format("proxy = '',", server.ca, here, there)
      assert.equal("dns dns 200 200 status 0\n", raw_server.run(never, { http_proxy = alive, https_proxy = alive }))
    end)
  end)

  describe("after a fork", function()
    local has_ffi = pcall(require, "ffi")

    it("is a new one in the child, while the parent keeps its own", function()
      if not has_ffi then
        return pending("only LuaJIT can fork without a module")
      end
      local before = server:stats().tls_accepted
      local out = raw_server.run(([[
        local ffi = require "ffi"
        ffi.cdef "int fork(void); int waitpid(int, int *, int); void _exit(int);"
        local url, plain = %q, %q
        local t = require("authgear.transport.curl").new { proxy = "", ca_file = %q }
        local function get() return (t:send { method = "GET", url = url, timeout = 60 } or {}).status end
        local half = t:prepare { method = "GET", url = plain .. "/wait/300", timeout = 60 }
        assert(get() == 200)
        local child = ffi.C.fork()
        if child == 0 then
          local res, code = half:step(1)
          local ok = res == "error" and code == "network" and get() == 200 and get() == 200
          t:close()
          half = nil; t = nil; collectgarbage()
          ffi.C._exit(ok and 7 or 1)
        end
        local status = ffi.new("int[1]")
        ffi.C.waitpid(child, status, 0)
        print(bit.rshift(status[0], 8), get(), get())
        half:perform()
        print(half:result().body)
      ]]):format(https("/echo"), "http://127.0.0.1:" .. server.http, server.ca))
      assert.equal("7\t200\t200\nlate\nstatus 0\n", out)
      assert.equal(before + 2, server:stats().tls_accepted)
    end)

    it("no program we start inherits a connection", function()
      local function sockets()
        local pipe = io.popen("ls -l /proc/self/fd")
        local listed = pipe:read("*a")
        pipe:close()
        return select(2, listed:gsub("socket:", ""))
      end
      -- libcurl's own wake-up pair is inherited, which harms nobody
      assert.is_nil((transport:send { method = "GET", url = "http://127.0.0.1:" .. server.dead .. "/" }))
      local before = sockets()
      assert(transport:send { method = "GET", url = server:url("http", "/echo"), timeout = 60 })
      assert(transport:send { method = "GET", url = https("/echo"), timeout = 60 })
      assert.equal(before, sockets())
    end)
  end)
end)
