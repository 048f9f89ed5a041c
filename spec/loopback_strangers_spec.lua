-- The loopback listener (authgear.loopback) among strangers, short of time, descriptors and memory, and at its end.

local core = require "authgear.core"
local files = require "spec.support.files"
local loopback = require "authgear.loopback"
local program = require "spec.support.program"
local strangers = require "spec.support.strangers"

local STATE, GOOD, get, still_takes = strangers.STATE, strangers.GOOD, strangers.get, strangers.still_takes
local has_v6 = strangers.have_v6()

describe("the loopback listener, among strangers", function()
  local place

  before_each(function()
    place = strangers.place()
  end)

  after_each(function()
    loopback.test_alloc(0)
    place:close()
  end)

  describe("is not held up by", function()
    it("a slow client", function()
      local listener = place:expecting()
      local slow = place:connect(listener)
      slow:send "GET /callback?co"
      assert.is_nil((listener:poll(0)))
      still_takes(listener)
      assert.is_false(slow:read() or false)
    end)

    it("a slow client that goes on for more than ten seconds", function()
      local listener = place:expecting()
      local slow = place:connect(listener)
      slow:send "GET /callback?co"
      listener:poll(0)
      for _ = 1, 9 do
        listener:test_pass(1)
        slow:send "x"
        listener:poll(0)
        assert.equal(1, listener:test_connections())
      end
      listener:test_pass(1.1)
      strangers.poll_until(listener, function()
        return slow:read()
      end)
      assert.equal("", slow:text())
      assert.equal(0, listener:test_connections())
      still_takes(listener)
    end)

    it("50 idle connections", function()
      local listener = place:expecting()
      for _ = 1, 50 do
        place:connect(listener)
        listener:poll(0)
        assert.is_true(listener:test_connections() <= 16)
      end
      still_takes(listener)
    end)

    it("one more than there is room for: the oldest idle one has to go", function()
      local listener = place:expecting()
      local all = {}
      for i = 1, 17 do
        all[i] = place:connect(listener)
        if i == 1 then
          all[1]:send "GET /" -- not idle
        end
        listener:poll(0)
        listener:test_pass(0.01)
      end
      strangers.poll_until(listener, function()
        return all[2]:read()
      end)
      for i, one in ipairs(all) do
        assert.equal(i == 2, one:read())
      end
    end)

    it("50 connections that came all at once, or keep coming", function()
      local listener = place:expecting()
      for _ = 1, 40 do
        place:connect(listener)
      end
      local good = place:connect(listener)
      good:send(get(GOOD))
      for _ = 1, 9 do
        place:connect(listener)
      end
      assert.equal(GOOD, strangers.poll_until(listener, function()
        return good:read()
      end))
    end)

    it("50 connections that have each begun to say something", function()
      local listener = place:expecting()
      for i = 1, 50 do
        place:connect(listener):send(("GET /"):sub(1, i % 5 + 1))
        listener:poll(0)
      end
      assert.equal(16, listener:test_connections())
      still_takes(listener)
    end)

    it("connections that are opened and closed, or reset, at every point", function()
      local listener = place:expecting()
      local request = get "/nothing"
      for _, n in ipairs { 0, 1, 10, #request - 1, #request } do
        for _, how in ipairs { "close", "reset" } do
          for _, served_first in ipairs { true, false } do
            local one = assert(strangers.connect(listener:port()))
            one:send(request:sub(1, n))
            if served_first then
              listener:poll(0)
            end
            one[how](one)
            listener:poll(0)
          end
        end
      end
      strangers.poll_until(listener, function()
        return listener:test_connections() == 0
      end)
      still_takes(listener)
    end)

    it("one that never stops sending", function()
      local listener = place:expecting()
      local one, sent = place:connect(listener), 0
      strangers.poll_until(listener, function()
        sent = sent + one:send(("x"):rep(65536))
        return sent > 0 and listener:test_connections() == 0
      end)
      assert.is_true(sent < 32 * 1024 * 1024, sent)
      still_takes(listener)
    end)

    it("one that never hangs up after its answer", function()
      local listener = place:expecting()
      local one = place:connect(listener)
      one:send(get "/favicon.ico")
      strangers.poll_until(listener, function()
        return one:read()
      end)
      assert.equal(404, strangers.parse(one:text()).status)
      assert.equal(1, listener:test_connections())
      listener:test_pass(2.1)
      listener:poll(0)
      assert.equal(0, listener:test_connections())
    end)

    it("a lack of descriptors", function()
      local out = program.run([[
        local loopback, strangers = require "authgear.loopback", require "spec.support.strangers"
        local listener = assert(loopback.listen { path = "/callback" })
        listener:expect "s"
        local one = assert(strangers.connect(listener:port()))
        one:send(strangers.get "/callback?state=s")
        local held = {}
        repeat
          held[#held + 1] = io.open "/dev/null"
        until #held > 100 or not io.open "/dev/null"
        local began = os.clock()
        print(#held <= 100, (listener:poll(0.4)), os.clock() - began < 0.2) -- waits, does not spin
        for _, f in ipairs(held) do f:close() end
        collectgarbage()
        print(listener:poll(5))
      ]], { before = "prlimit --nofile=30" })
      assert.equal("true\tnil\ttrue\n/callback?state=s\n", out)
    end)
  end)

  describe("waits", function()
    it("not at all with poll(0), and as long as it is told", function()
      local listener = place:expecting()
      local began = core.now()
      assert.same({ n = 1 }, { n = select("#", listener:poll(0)), (listener:poll(-1)) })
      assert.is_nil((listener:poll(0 / 0)))
      assert.is_nil((listener:poll(0.05)))
      assert.is_true(core.now() - began >= 0.049)
    end)

    it("only until the redirect is there", function()
      local listener = place:expecting()
      place:connect(listener):send(get(GOOD))
      local began = core.now()
      assert.equal(GOOD, listener:poll(600))
      assert.is_true(core.now() - began < 300)
    end)

    it("no longer when a signal arrives, so that the host's handler is heard", function()
      local out = program.run([[
        local loopback = require "authgear.loopback"
        local listener = assert(loopback.listen {})
        local ok, why = pcall(function()
          local pid = io.open("/proc/self/stat"):read "*n"
          os.execute("(sleep 0.2; kill -INT " .. pid .. ") >/dev/null 2>&1 &")
          local n = 0
          while n < 2 do
            listener:poll(100)
            n = n + 1
          end
        end)
        print(ok, (tostring(why):match "interrupted"))
      ]], { before = "timeout 20" })
      assert.equal("false\tinterrupted!\n", (out:gsub("interrupted\n", "interrupted!\n")))
    end)
  end)

  describe("ends", function()
    it("so that nothing more can be asked of it", function()
      local listener = place:expecting()
      local port = listener:port()
      assert.is_true(listener:close())
      assert.is_true(listener:close())
      assert.is_nil((strangers.connect(port)))
      for _, method in ipairs { "poll", "expect" } do
        local value, code, message, retryable = listener[method](listener, method == "expect" and "x" or 0)
        assert.is_nil(value)
        assert.equal("listener", code)
        assert.equal("the listener is closed", message)
        assert.is_false(retryable)
      end
      assert.equal("authgear listener (closed)", tostring(listener))
    end)

    it("without leaving a descriptor, whatever was going on", function()
      if not files.read "/proc/self/stat" then
        return pending "this system has no /proc"
      end
      local before = files.descriptors()
      for i = 1, 10 do
        local listener = assert(loopback.listen { host = has_v6 and "localhost" or "127.0.0.1", path = "/callback" })
        listener:expect(STATE)
        local others = {}
        for j = 1, 20 do
          others[j] = assert(strangers.connect(listener:port()))
          others[j]:send((get(j % 3 == 0 and GOOD or "/x")):sub(1, j * 4))
          listener:poll(0)
        end
        for _, one in ipairs(others) do
          one:close()
        end
        if i % 2 == 0 then
          listener:close()
        end
      end
      collectgarbage()
      collectgarbage()
      assert.equal(before, files.descriptors())
    end)

    it("without having given a socket to a program that the host started meanwhile", function()
      local out = program.run([[
        local loopback = require "authgear.loopback"
        local listener, interpreter = assert(loopback.listen {}), ...
        local code = ('local s = require("socket").connect("127.0.0.1", %d) io.read()'):format(listener:port())
        local stranger = io.popen("exec " .. interpreter .. " -e '" .. code .. "'", "w")
        repeat
          listener:poll(0.01)
        until listener:test_connections() == 1
        os.execute "ls -l /proc/self/fd"
        stranger:close()
      ]], { args = { program.interpreter() } })
      assert.truthy(out:find("%d %-> "), out)
      assert.is_nil(out:find("socket:", 1, true), out)
    end)

    it("at the end of a block that owns it", function()
      local load_text = loadstring or load
      local block = load_text [[
        local loopback = require "authgear.loopback"
        local port
        do
          local listener <close> = loopback.listen {}
          port = listener:port()
        end
        return port
      ]]
      if not block then
        return pending "this Lua has no <close>"
      end
      assert.is_nil((strangers.connect(block())))
    end)
  end)

  it("does without memory, and without leaking any", function()
    local failed = 0
    for n = 1, 40 do
      loopback.test_alloc(n)
      local listener, code = loopback.listen { path = "/callback" }
      local ready = listener
      if listener then
        ready, code = listener:expect(STATE)
      end
      local taken, one
      if ready then
        one = assert(strangers.connect(listener:port()))
        one:send(get(GOOD))
        taken = strangers.poll_until(listener, function()
          return one:read()
        end)
        one:close()
      else
        assert.equal("memory", code)
      end
      loopback.test_alloc(0)
      if not taken then
        failed = failed + 1
        listener = listener or assert(loopback.listen { path = "/callback" })
        assert.equal("", one and one:text() or "")
        listener:expect(STATE)
        still_takes(listener) -- the page loaded again
      end
      listener:close()
    end
    assert.is_true(failed >= 4 and failed < 40, "failed " .. failed .. " times")
  end)
end)
