-- The transport on libcurl, doing what is asked of it: methods, headers, bodies, connections, limits.
-- Its faults, TLS and streams have specs of their own.
local files = require "spec.support.files"
local raw_server = require "spec.support.raw_server"
local curl = require "authgear.transport.curl"
local with = require "spec.support.with"

describe("the transport on libcurl", function()
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

  local function get(path, more, port)
    return transport:send(with({ method = "GET", url = server:url(port or "http", path), timeout = 10 }, more))
  end

  local function accepted()
    return server:stats().accepted
  end

  describe("requests", function()
    it("sends the headers it was given, empty ones too, and adds only its own", function()
      local res = assert(get("/echo?a=1", { headers = "X-One: 1\r\nX-Empty:\r\nX-Spaces:  \r\nX-Two: a\r\nX-Two: b\r\n" }))
      assert.equal(200, res.status)
      local names = {}
      for name in res.body:gmatch("\n([%w-]+):") do
        names[#names + 1] = name
      end
      assert.same({ "host", "accept", "accept-encoding", "x-one", "x-empty", "x-spaces", "x-two", "x-two" }, names)
      assert.truthy(res.body:find("x-empty: \n", 1, true))
      assert.truthy(res.body:find("^GET /echo%?a=1 HTTP/1.1\n"))
    end)

    it("lets a caller's header replace its own", function()
      local res = assert(get("/echo", { headers = "Accept: a/b\r\nHost: other.test\r\nUser-Agent: me\r\n" }))
      assert.truthy(res.body:find("accept: a/b\n", 1, true))
      assert.truthy(res.body:find("host: other.test\n", 1, true))
      assert.truthy(res.body:find("user-agent: me\n", 1, true))
      assert.falsy(res.body:find("*/*", 1, true))
    end)

    it("keeps zero bytes and everything else of a body, both ways", function()
      local all = {}
      for i = 0, 255 do
        all[#all + 1] = string.char(i)
      end
      all = table.concat(all)
      local res = assert(get("/echo", { method = "POST", body = all, headers = "Content-Type: x/y\r\n" }))
      assert.equal(all, res.body:sub(-256))
      assert.truthy(res.body:find("content-length: 256\n", 1, true))
      assert.truthy(res.body:find("content-type: x/y\n", 1, true))
      assert.equal("a\0b\0", assert(get("/zero")).body)
    end)

    for _, method in ipairs { "POST", "PUT", "PATCH", "DELETE", "GET", "OPTIONS", "QUERY" } do
      it("sends " .. method .. " with a body, and adds no content type", function()
        local res = assert(get("/echo", { method = method, body = "hello" }))
        assert.truthy(res.body:find("^" .. method .. " /echo HTTP/1.1\n"))
        assert.truthy(res.body:find("content-length: 5\n", 1, true))
        assert.falsy(res.body:find("content-type", 1, true))
        assert.falsy(res.body:find("expect", 1, true))
        assert.equal("\n\nhello", res.body:sub(-7))
      end)
    end

    for _, method in ipairs { "POST", "PUT", "PATCH" } do
      it("says that a " .. method .. " without a body has none", function()
        local res = assert(get("/echo", { method = method }))
        assert.truthy(res.body:find("content-length: 0\n", 1, true))
        assert.falsy(res.body:find("content-type", 1, true))
      end)
    end

    it("says nothing of a body that GET and DELETE do not have", function()
      for _, method in ipairs { "GET", "DELETE" } do
        assert.falsy(assert(get("/echo", { method = method })).body:find("content-length", 1, true))
      end
    end)

    it("goes from any kind of request to any other on one handle", function()
      local function source()
        local left = { "up", "load" }
        return function()
          return table.remove(left, 1)
        end
      end
      local kinds = {
        function() return get("/echo"), "GET", "" end,
        function() return get("/echo", { method = "POST", body = "a" }), "POST", "a" end,
        function() return get("/echo", { method = "HEAD" }), nil, "" end,
        function() return get("/echo", { method = "PUT", source = source() }), "PUT", "upload" end,
        function() return get("/echo", { method = "DELETE" }), "DELETE", "" end,
        function() return get("/echo", { method = "POST" }), "POST", "" end,
        function() return get("/echo", { method = "POST", source = source(), source_length = 6 }), "POST", "upload" end,
      }
      for _, first in ipairs(kinds) do
        for _, second in ipairs(kinds) do
          assert(first())
          local res, method, body = second()
          assert.equal(200, res.status)
          if method then
            assert.equal(method, res.body:match("^%u+"))
            assert.equal(body, res.body:match("\n\n(.*)$"))
          else
            assert.equal("", res.body)
          end
        end
      end
    end)

    it("goes where it is told, however often it was told something else", function()
      local paths = { "/echo?a=1", "/echo?a=1", "/echo?a=1", "/echo?a=2", "/echo?a=1", "/echo?a=1", "/echo", "/echo",
        "/echo?%20x", "/echo?%20x", "/echo/../echo?b", "/echo/../echo?b", "/echo?a=1#part", "/echo?a=1#part", "/echo?a=1" }
      for i, path in ipairs(paths) do
        local expected = path:gsub("/echo/%.%.", ""):gsub("#.*", "")
        local res = assert(get(path))
        assert.equal(i .. expected, i .. res.body:match("^GET (%S+)"))
        assert.equal("host: 127.0.0.1:" .. server.http, res.body:match("host: [^\n]*"))
      end
      for _, host in ipairs { "localhost", "localhost", "127.0.0.1", "127.0.0.1", "localhost" } do
        local res = assert(get("", { url = "http://" .. host .. ":" .. server.http .. "/echo" }))
        assert.truthy(res.body:find("host: " .. host .. ":", 1, true))
      end
      for _ = 1, 3 do
        local _, _, message = get("", { url = "http://127.0.0.1:" .. server.dead .. "/x" })
        assert.equal("could not connect to 127.0.0.1:" .. server.dead, message)
      end
    end)

    it("leaves the framing to itself, whatever headers say", function()
      local res = assert(get("/echo", { method = "POST", body = "hello",
        headers = "Content-Length: 3\r\nTransfer-Encoding: chunked\r\nexpect: 100-continue\r\nX-A: 1\r\n" }))
      assert.truthy(res.body:find("content-length: 5\n", 1, true))
      assert.falsy(res.body:find("chunked", 1, true))
      assert.falsy(res.body:find("expect", 1, true))
      assert.truthy(res.body:find("x-a: 1\n", 1, true))
    end)

    it("refuses a header block that is not one, and sends nothing", function()
      local before = accepted()
      for _, block in ipairs { "X-A: 1", "X-A: 1\n", "X-A 1\r\n", ": 1\r\n", "X A: 1\r\n", "X-A: 1\r\n\r\nGET / HTTP/1.1\r\n",
        "X-A: 1\nX-B: 2\r\n", "X-A: a\rb\r\n", "X-A: a\0b\r\n", "\r\n", " X-A: 1\r\n", "X-\200: 1\r\n", "X-A: 1\r" } do
        local res, code, message, retryable, sent = get("/echo", { headers = block })
        assert.is_nil(res)
        assert.equal("invalid_argument", code)
        assert.equal("a request header is malformed", message)
        assert.is_false(retryable)
        assert.is_false(sent)
      end
      assert.equal(before, accepted())
      assert(get("/echo", { headers = "X-A: 1\r\nX-B: 2\r\n" }))
      assert.equal(before + 1, accepted())
    end)

    it("refuses methods and URLs that are none", function()
      for _, method in ipairs { "", "GE T", "GET\r\n", "G\0T", ("A"):rep(40) } do
        assert.equal("invalid_argument", (select(2, get("/echo", { method = method }))))
      end
      for _, url in ipairs { "", "ftp://127.0.0.1/", "file:///etc/passwd", "//127.0.0.1/", "http://", "http://u:p@127.0.0.1/",
        "http://127.0.0.1/\0x", "http://127.0.0.1\\@x/" } do
        assert.equal("invalid_url", (select(2, get("/echo", { url = url }))))
      end
      assert.equal("invalid_argument", (select(2, get("/echo", { method = "HEAD", body = "x" }))))
    end)

    it("raises for fields of the wrong type, naming them", function()
      for name, value in pairs { method = 1, url = {}, headers = {}, body = 5, timeout = "1", connect_timeout = {}, max_body = "x" } do
        assert.error_matches(function() get("/echo", { [name] = value }) end, "'" .. name .. "'")
      end
      for _, value in ipairs { -1, 0 / 0 } do
        assert.error_matches(function() get("/echo", { timeout = value }) end, "'timeout'")
      end
      assert(get("/echo", { timeout = math.huge }))
    end)

    it("raises for unknown options and options of the wrong type, naming them", function()
      assert.error_matches(function() curl.new { prox = "x" } end, "prox")
      assert.error_matches(function() curl.new { ca_file = 5 } end, "ca_file")
    end)
  end)

  describe("answers", function()
    it("gives status, headers, body and version", function()
      local res = assert(get("/404"))
      assert.equal(404, res.status)
      assert.equal("not here", res.body)
      assert.equal("1.1", res.http_version)
      assert.truthy(("\r\n" .. res.headers):lower():find("\r\ncontent-type: text/plain\r\n", 1, true))
      assert.falsy(res.headers:find("HTTP/", 1, true))
      assert.equal("\r\n", res.headers:sub(-2))
      assert.not_equal("\r\n\r\n", res.headers:sub(-4))
    end)

    it("knows the answers without a body", function()
      assert.same({ 204, "" }, { get("/204").status, get("/204").body })
      assert.same({ 304, "" }, { get("/304").status, get("/304").body })
      local res = assert(get("/bytes/1000", { method = "HEAD" }))
      assert.same({ 200, "" }, { res.status, res.body })
    end)

    it("does not follow redirects", function()
      local res = assert(get("/302"))
      assert.equal(302, res.status)
      assert.equal("moved", res.body)
      assert.truthy(res.headers:lower():find("location: /echo\r\n", 1, true))
    end)

    it("keeps no cookies", function()
      assert(get("/cookie"))
      assert.falsy(assert(get("/echo")).body:find("cookie", 1, true))
    end)

    it("leaves out the answers that come before the final one", function()
      local res = assert(get("/1xx", nil, "raw"))
      assert.equal(200, res.status)
      assert.equal("Content-Length: 2\r\n", res.headers)
      assert.equal("ok", res.body)
      assert.truthy(assert(get("/hints")).headers:lower():find("x-final: yes", 1, true))
    end)

    it("leaves out trailers, joins folded lines, takes bare line feeds and bodies without a length", function()
      local res = assert(get("/trailer", nil, "raw"))
      assert.equal("hello", res.body)
      assert.falsy(res.headers:find("X-After:", 1, true))
      assert.truthy(assert(get("/folded", nil, "raw")).headers:find("X-Long: one two\r\n", 1, true))
      assert.equal("X-A: 1\r\nContent-Length: 2\r\n", assert(get("/bare-lf", nil, "raw")).headers)
      assert.equal("to the end", assert(get("/no-length", nil, "raw")).body)
    end)

    it("decompresses, unless the caller asks for an encoding itself", function()
      assert.equal(("x"):rep(5000), assert(get("/gzip")).body)
      local res = assert(get("/gzip", { headers = "Accept-Encoding: gzip\r\n" }))
      assert.equal("\31\139", res.body:sub(1, 2))
      assert.equal(("x"):rep(5000), assert(get("/gzip")).body)
    end)
  end)

  describe("limits", function()
    it("takes a body of exactly max_body bytes and refuses one more", function()
      assert.equal(1000, #assert(get("/bytes/1000", { max_body = 1000 })).body)
      local res, code, message, retryable, sent = get("/bytes/1001", { max_body = 1000 })
      assert.is_nil(res)
      assert.equal("too_large", code)
      assert.equal("the body of the answer of 127.0.0.1:" .. server.http .. " is over the limit", message)
      assert.is_false(retryable)
      assert.is_true(sent)
      assert.equal("", assert(get("/204", { max_body = 0 })).body)
      assert.equal("too_large", (select(2, get("/bytes/1", { max_body = 0 }))))
    end)

    it("counts what comes out of the decompression: a bomb of 100 MB is stopped", function()
      assert.equal("too_large", (select(2, get("/bomb", { max_body = 1024 * 1024 }))))
      assert.equal("too_large", (select(2, get("/gzip", { max_body = 4999 }))))
      assert.equal(5000, #assert(get("/gzip", { max_body = 5000 })).body)
    end)

    it("collects 64 MiB and no more where no limit is named", function()
      assert.equal("too_large", (select(2, get("/mb/65"))))
      collectgarbage()
    end)

    it("refuses headers over 256 KiB, in one answer, in one line, or in answers without end", function()
      local res = assert(get("/some-headers", nil, "raw"))
      assert.equal("ok", res.body)
      for _, path in ipairs { "/many-headers", "/long-header", "/endless-1xx" } do
        local none, code, message = get(path, nil, "raw")
        assert.is_nil(none)
        assert.same({ path, "too_large" }, { path, code })
        assert.truthy(message:find("header", 1, true))
      end
    end)

    it("ends a transfer in time, wherever it hangs", function()
      for _, where in ipairs { { "/stall", "http" }, { "/stall-body", "http" }, { "/slow-headers", "raw" } } do
        local res, code, message, retryable, sent = get(where[1], { timeout = 0.15 }, where[2])
        assert.is_nil(res)
        assert.equal("timeout", code)
        assert.truthy(message:find("127.0.0.1:" .. server[where[2]], 1, true))
        assert.is_true(retryable)
        assert.is_true(sent)
      end
      assert.equal("late", assert(get("/wait/250", { timeout = 10 })).body)
    end)
  end)

  describe("connections", function()
    it("are kept and used again", function()
      local before = accepted()
      for _ = 1, 20 do
        assert(get("/echo"))
        assert(get("/echo", { method = "POST", body = "x" }))
      end
      assert(get("/echo", { sink = function() end }))
      assert(get("/404"))
      assert.equal(before + 1, accepted())
    end)

    it("are new where that is asked for, and serve afterwards", function()
      local before = accepted()
      assert(get("/echo"))
      assert(get("/echo", { method = "POST", body = "x", fresh = true }))
      assert.equal(before + 2, accepted())
      assert(get("/echo"))
      assert.equal(before + 2, accepted())
    end)

    it("that were closed meanwhile are replaced without a word", function()
      local before = server:stats().raw_accepted
      assert.equal("first", assert(get("/lazy", nil, "raw")).body)
      assert.equal("first", assert(get("/lazy", nil, "raw")).body)
      local now = server:stats()
      assert.equal(before + 2, now.raw_accepted)
    end)

    it("that die under a fresh request do not make it go out twice", function()
      assert.equal("first", assert(get("/lazy", nil, "raw")).body)
      local before = server:stats().raw_requests
      local res, code, _, retryable, sent = get("/close", { method = "POST", body = "token", fresh = true }, "raw")
      assert.is_nil(res)
      assert.equal("network", code)
      assert.is_true(retryable)
      assert.is_true(sent)
      assert.equal(before + 1, server:stats().raw_requests)
    end)

    it("end with the transport, which then says so", function()
      assert(get("/echo"))
      transport:close()
      assert.equal("closed", (select(2, get("/echo"))))
      transport:close()
      local unused = curl.new {}
      unused:close()
      assert.equal("closed", (select(2, unused:send { method = "GET", url = server:url("http", "/echo") })))
    end)
  end)

  describe("cancelling", function()
    it("asks before sending, and then about ten times a second", function()
      local before = accepted()
      local res, code, _, _, sent = get("/echo", { cancelled = function() return true end })
      assert.is_nil(res)
      assert.equal("cancelled", code)
      assert.is_false(sent)
      assert.equal(before, accepted())

      local asked = 0
      res, code, _, _, sent = get("/stall", { cancelled = function() asked = asked + 1 return asked > 4 end })
      assert.is_nil(res)
      assert.equal("cancelled", code)
      assert.is_true(sent)
      assert.equal(5, asked)
      assert.equal("late", assert(get("/wait/300", { cancelled = function() return false end })).body)
    end)

    it("lets through what the function raises", function()
      local calls = 0
      assert.error_matches(function()
        get("/stall", { cancelled = function() calls = calls + 1 if calls == 2 then error("enough") end end })
      end, "enough")
      assert(get("/echo"))
    end)
  end)

  describe("in two halves", function()
    local function prepare(path, more)
      return transport:prepare(with({
        method = "POST", url = server:url("http", path), body = "x", timeout = 10, fresh = true, secret = true,
      }, more))
    end

    it("keeps the answer until it is closed", function()
      local t = assert(prepare("/wait/250"))
      assert.error_matches(function() t:result() end, "not over")
      assert.is_true(t:perform())
      assert.is_true(t:perform())
      collectgarbage()
      for _ = 1, 2 do
        local res = t:result()
        assert.equal(200, res.status)
        assert.equal("late", res.body)
      end
      t:close()
      t:close()
      assert.equal("closed", (select(2, t:result())))
    end)

    it("keeps the error as well", function()
      local t = assert(prepare("/stall", { timeout = 0.1 }))
      t:perform()
      for _ = 1, 2 do
        assert.same({ "timeout", true, true }, { select(2, t:result()), (select(4, t:result())), (select(5, t:result())) })
      end
    end)

    it("refuses what goes by steps", function()
      local t = assert(prepare("/echo", { sink = function() end }))
      assert.error_matches(function() t:perform() end, "steps")
      t:close()
    end)

    it("has the answer after a Ctrl-C that came while it waited", function()
      local out = raw_server.run(([[
        local f = io.open("/proc/self/stat"); local pid = math.floor(f:read("*n")); f:close()
        local t = assert(require("authgear.transport.curl").new { proxy = "" }:prepare {
          method = "POST", url = %q, body = "x", headers = "X-Pid: " .. pid .. "\r\n", timeout = 10 })
        print(pcall(function() t:perform() end))
        print(t:result().body)
      ]]):format(server:url("http", "/interrupt")))
      assert.truthy(out:find("false%s+[^\n]*interrupted!"))
      assert.truthy(out:find("\nanswer\nstatus 0", 1, true))
    end)
  end)

  it("loads libcurl with the first request, not before", function()
    local out = raw_server.run(([[
      local function loaded()
        for line in io.lines("/proc/self/maps") do
          if line:find("libcurl", 1, true) then return true end
        end
        return false
      end
      local t = require("authgear.transport.curl").new { proxy = "" }
      io.write(tostring(loaded()), " ")
      assert(t:send { method = "GET", url = %q })
      io.write(tostring(loaded()), " ")
    ]]):format(server:url("http", "/echo")))
    assert.equal("false true status 0\n", out)
  end)

  it("gives everything back when it is collected, at any moment", function()
    local function once(i)
      local t = curl.new { proxy = "" }
      if i % 2 == 0 then
        assert(t:send { method = "GET", url = server:url("http", "/echo") })
      end
      local half = assert(t:prepare { method = "GET", url = server:url("http", "/stall"), body = ("x"):rep(1000) })
      if i % 3 == 0 then
        t = nil -- luacheck: ignore
        collectgarbage()
        assert.error(function() half:result() end)
      end
    end
    once(1)
    local before = files.descriptors()
    for i = 1, 50 do
      once(i)
    end
    -- the last one may still be seen on the stack; 50 of them would hold 200
    assert.is_true(files.descriptors() <= before + 12)
  end)
end)
