-- The loopback listener (authgear.loopback): where it listens, what it takes, what it refuses.
-- That no stranger can hold it up stands in loopback_strangers_spec, what a login makes of it in ui_browser_spec.

local files = require "spec.support.files"
local loopback = require "authgear.loopback"
local socket = require "socket"
local strangers = require "spec.support.strangers"

local STATE, GOOD, get, still_takes = strangers.STATE, strangers.GOOD, strangers.get, strangers.still_takes
local has_v6 = strangers.have_v6()

describe("the loopback listener", function()
  local place

  before_each(function()
    place = strangers.place()
  end)

  after_each(function()
    loopback.test_alloc(0)
    place:close()
  end)

  describe("listens", function()
    local function addresses(port)
      local found, hex = {}, (":%04X"):format(port)
      for _, file in ipairs { "/proc/net/tcp", "/proc/net/tcp6" } do
        for line in (files.read(file) or ""):gmatch "[^\n]+" do
          local address, at, state = line:match "^%s*%d+: (%x+)(:%x+) %x+:%x+ (%x+)"
          if at == hex and state == "0A" then
            found[#found + 1] = address
          end
        end
      end
      return found
    end

    it("at a free port, on 127.0.0.1 and nowhere else", function()
      local listener = place:listen()
      assert.is_true(listener:port() > 0)
      local found = " " .. table.concat(addresses(listener:port()), " ")
      assert.truthy(found:find(" 0100007F", 1, true), found)
      assert.is_nil(found:find(" 00000000", 1, true), found)
      assert.is_nil((strangers.connect(listener:port(), "127.0.0.2")))
      assert.equal("authgear listener (port " .. listener:port() .. ")", tostring(listener))
    end)

    it("at a given port, again at once after it was closed with a connection", function()
      local one = place:expecting()
      local port = one:port()
      still_takes(one)
      one:close()
      local other = place:expecting { port = port }
      assert.equal(port, other:port())
      still_takes(other)
    end)

    it("not where somebody listens already, and says so", function()
      local one = place:listen()
      local listener, code, message, retryable = loopback.listen { port = one:port(), path = "/callback" }
      assert.is_nil(listener)
      assert.equal("listener", code)
      assert.truthy(message:find("127.0.0.1 port " .. one:port() .. ": Address already in use", 1, true), message)
      assert.is_false(retryable)
      one:close()
      assert.equal(one:port(), place:listen({ port = one:port() }):port())
    end)

    it("on ::1", function()
      if not has_v6 then
        return pending "this system has no IPv6"
      end
      local listener = place:expecting { host = "::1" }
      local found = " " .. table.concat(addresses(listener:port()), " ")
      assert.truthy(found:find(" 00000000000000000000000001000000", 1, true), found)
      assert.is_nil(found:find(" " .. ("0"):rep(32), 1, true), found)
      local _, taken = strangers.ask(listener, get(GOOD), "::1")
      assert.equal(GOOD, taken)
    end)

    it("as localhost on both families", function()
      if not has_v6 then
        return pending "this system has no IPv6"
      end
      for _, host in ipairs { "127.0.0.1", "::1" } do
        local listener = place:expecting { host = "localhost" }
        assert.equal(2, #addresses(listener:port()))
        local _, taken = strangers.ask(listener, get(GOOD), host)
        assert.equal(GOOD, taken)
      end
    end)

    it("as localhost not where a stranger has one of the two", function()
      if not has_v6 then
        return pending "this system has no IPv6"
      end
      for _, host in ipairs { "127.0.0.1", "::1" } do
        local stranger = place:listen { host = host }
        local before = addresses(stranger:port())
        local listener, code, message = loopback.listen { host = "localhost", port = stranger:port() }
        assert.is_nil(listener)
        assert.equal("listener", code)
        assert.truthy(message:find("localhost port " .. stranger:port(), 1, true), message)
        assert.same(before, addresses(stranger:port()))
      end
    end)
  end)

  it("raises for options that make no sense, naming them", function()
    local cases = {
      { { host = "0.0.0.0" }, "host" }, { { host = "" }, "host" }, { { host = "example.com" }, "host" },
      { { host = 1 }, "host" }, { { port = -1 }, "port" }, { { port = 65536 }, "port" }, { { port = 1.5 }, "port" },
      { { port = "80" }, "port" }, { { port = 0 / 0 }, "port" }, { { path = "callback" }, "path" },
      { { path = "/a b" }, "path" }, { { path = "/a?b" }, "path" }, { { path = "/a#b" }, "path" },
      { { path = "/a\0b" }, "path" }, { { path = true }, "path" }, { { sate = 1 }, "sate" }, { { 1 }, "number" },
    }
    for _, case in ipairs(cases) do
      local ok, message = pcall(loopback.listen, case[1])
      assert.is_false(ok)
      assert.truthy(message:find(case[2] .. ":", 1, true), message)
    end
    assert.has_error(function()
      loopback.listen()
    end)
    local listener = place:listen()
    for _, state in ipairs { "", ("x"):rep(4097), 5, false } do
      assert.has_error(function()
        listener:expect(state)
      end)
    end
    assert.has_error(function()
      listener.poll(io.stdout)
    end)
    assert.is_true(listener:expect(("x"):rep(4096)))
  end)

  describe("takes the redirect", function()
    it("exactly once", function()
      local listener = place:expecting()
      still_takes(listener)
      assert.is_nil((listener:poll(0)))
      for _ = 1, 2 do
        local answer, taken = strangers.ask(listener, get(GOOD))
        assert.equal(400, answer.status)
        assert.is_nil(taken)
      end
      listener:expect "another"
      still_takes(listener, "/callback?state=another")
    end)

    it("and shows a page with nothing in it but words", function()
      local answer = strangers.ask(place:expecting(), get(GOOD, "Cookie: marker=s3cret\r\n"))
      assert.equal(200, answer.status)
      assert.same({
        ["content-type"] = "text/html; charset=utf-8",
        ["content-length"] = tostring(#answer.body),
        ["cache-control"] = "no-store",
        ["referrer-policy"] = "no-referrer",
        ["content-security-policy"] = "default-src 'none'",
        ["x-content-type-options"] = "nosniff",
        connection = "close",
      }, answer.headers)
      assert.truthy(answer.body:find("You can close this window and go back to the program.", 1, true))
      assert.truthy(answer.body:find "^<!DOCTYPE html>.*</html>\n$")
      for _, active in ipairs { "<script", "<link", "<img", "<style", "http", "src=", "href=", "%son%a+=", "url%(" } do
        assert.is_nil(answer.body:find(active), active)
      end
      for _, said in ipairs { "c0de", STATE, "callback", "marker", "s3cret", "127.0.0.1" } do
        assert.is_nil(answer.body:find(said, 1, true), said)
      end
    end)

    it("that reports an error, with the same page", function()
      local page = strangers.ask(place:expecting(), get(GOOD)).body
      local target = "/callback?error=access_denied&error_description=%3Cscript%3E&state=" .. STATE
      local answer, taken = strangers.ask(place:expecting(), get(target))
      assert.equal(target, taken)
      assert.equal(page, answer.body)
    end)

    it("byte by byte", function()
      local listener = place:expecting()
      local one = place:connect(listener)
      local request, taken = get(GOOD, "Accept: */*\r\n"), nil
      for i = 1, #request do
        assert.is_nil(taken)
        assert.equal(1, one:send(request:sub(i, i)))
        taken = listener:poll(i == #request and 1 or 0)
      end
      assert.equal(GOOD, taken)
    end)

    it("at a path of /", function()
      local listener = place:keep(assert(loopback.listen {}))
      listener:expect(STATE)
      still_takes(listener, "/?state=" .. STATE)
    end)

    it("only once its state is known", function()
      local listener = place:listen()
      local answer, taken = strangers.ask(listener, get(GOOD))
      assert.equal(400, answer.status)
      assert.is_nil(taken)
      for _, state in ipairs { "", "&state=", "nil" } do
        answer, taken = strangers.ask(listener, get("/callback?code=1&state=" .. state))
        assert.equal(400, answer.status)
        assert.is_nil(taken)
      end
      listener:expect(STATE)
      still_takes(listener)
    end)

    it("and gives the page to a browser that sends more than it has to, though it is closed at once", function()
      for _, more in ipairs { "", "x", ("more "):rep(20000) } do
        local listener = place:expecting()
        local one = place:connect(listener)
        one:send(get(GOOD) .. more)
        local taken
        strangers.poll_until(listener, function()
          taken = taken or listener:poll(0)
          return taken
        end)
        one:send(more)
        listener:close()
        assert.equal(GOOD, taken)
        local limit = socket.gettime() + 5
        while not one:read() and socket.gettime() < limit do
          socket.sleep(0.001)
        end
        assert.truthy(one:text():find "</html>\n$")
      end
    end)
  end)

  describe("refuses", function()
    local hello = "\22\3\1\2\0\1\0\1\252\3\3" .. ("\171"):rep(500)
    local cases = {
      { "a favicon", get "/favicon.ico", 404 },
      { "another path", get("/callback/?code=1&state=" .. STATE), 404 },
      { "a path in other case", get("/Callback?code=1&state=" .. STATE), 404 },
      { "an escaped path", get("/%63allback?code=1&state=" .. STATE), 404 },
      { "no query", get "/callback", 400 },
      { "no state", get "/callback?code=1", 400 },
      { "another state", get("/callback?code=1&state=x" .. STATE:sub(2)), 400 },
      { "the start of the state", get("/callback?code=1&state=" .. STATE:sub(1, -2)), 400 },
      { "more than the state", get("/callback?code=1&state=" .. STATE .. "%00"), 400 },
      { "two states", get(GOOD .. "&state=" .. STATE), 400 },
      { "another state first", get("/callback?state=x&code=1&state=" .. STATE), 400 },
      { "a fragment", get(GOOD .. "#x"), 400 },
      { "POST", "POST " .. GOOD .. " HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", 405, allow = "GET" },
      { "a form posted", "POST /callback HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\ncode=1&state=" .. STATE, 405 },
      { "HEAD", "HEAD " .. GOOD .. " HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
      { "OPTIONS", "OPTIONS " .. GOOD .. " HTTP/1.1\r\nHost: x\r\n\r\n", 405 },
      { "another protocol version", "GET " .. GOOD .. " HTTP/3.0\r\nHost: x\r\n\r\n", 505 },
      { "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
      { "HTTP/0.9", "GET " .. GOOD .. "\r\n", 400 },
      { "bare line feeds", "GET " .. GOOD .. " HTTP/1.1\nHost: x\n\n", 400 },
      { "another host's URL", get("http://example.com" .. GOOD), 400 },
      { "TLS", hello, 400 },
      { "SSH", "SSH-2.0-OpenSSH_9.2\r\n", 400 },
      { "zeros", ("\0"):rep(100), 400 },
      { "noise", ("\200\1\255\13\10"):rep(50), 400 },
      { "a header of 100 KB", get(GOOD, "X-Long: " .. ("a"):rep(100 * 1024) .. "\r\n"), 431 },
      { "4,000 headers", get(GOOD, ("X-Many: yes\r\n"):rep(4000)), 431 },
      { "a request line of 100 KB", get(GOOD .. "&x=" .. ("a"):rep(100 * 1024)), 414 },
      { "a method of 100 KB", ("A"):rep(100 * 1024), 400 },
      { "a header without a colon", get(GOOD, "nonsense\r\n"), 400 },
      { "a header with a zero", get(GOOD, "X: a\0b\r\n"), 400 },
      { "a megabyte of anything", ("GET / HTTP/1.1\r\n"):rep(65536), 404 },
    }
    for _, case in ipairs(cases) do
      it(case[1] .. " and takes the good one afterwards", function()
        local listener = place:expecting()
        local answer, taken = strangers.ask(listener, case[2])
        assert.is_nil(taken)
        assert.equal(case[3], answer.status)
        assert.equal("text/plain; charset=utf-8", answer.headers["content-type"])
        assert.equal("no-store", answer.headers["cache-control"])
        assert.equal(case.allow or (case[3] == 405 and "GET" or nil), answer.headers.allow)
        assert.truthy(#answer.body < 64 and answer.body:find "^[%a ]+\n$")
        still_takes(listener)
      end)
    end

    it("what is one byte too long, and takes what is just short enough", function()
      local listener = place:expecting()
      local line = "GET " .. GOOD .. "&x= HTTP/1.1"
      local pad = ("a"):rep(8192 - #line)
      assert.equal(414, strangers.ask(listener, get(GOOD .. "&x=" .. pad .. "a")).status)
      local heads = "X: " .. ("b"):rep(32768 - #"Host: 127.0.0.1\r\n" - #"X: \r\n" - #"\r\n") .. "\r\n"
      assert.equal(431, strangers.ask(listener, get(GOOD .. "&x=" .. pad, heads .. "Y: some more\r\n")).status)
      still_takes(listener, GOOD .. "&x=" .. pad)
      listener:expect(STATE)
      local answer, taken = strangers.ask(listener, get(GOOD .. "&x=" .. pad, heads))
      assert.equal(200, answer.status)
      assert.equal(GOOD .. "&x=" .. pad, taken)
    end)
  end)
end)
