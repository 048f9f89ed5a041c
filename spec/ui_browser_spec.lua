-- Login in the browser (authgear.ui.system): the listener at a registered port, the browser, and back.

local core = require "authgear.core"
local files = require "spec.support.files"
local loopback = require "authgear.loopback"
local program = require "spec.support.program"
local strangers = require "spec.support.strangers"

local STATE = "st4te-Of_this~login"
local URL = "https://auth.example.com/oauth2/authorize?client_id=a&state=" .. STATE

-- Gives what fn gave, with its length, so that a missing value and nil can be told apart.
local function results(...)
  return { n = select("#", ...), ... }
end

-- A port nobody listens at, at least just now.
local function free_port()
  local listener = assert(loopback.listen {})
  local port = listener:port()
  listener:close()
  return port
end

local function uri(port, path)
  return "http://127.0.0.1:" .. port .. (path or "/callback")
end

describe("the browser ui", function()
  local system = require "authgear.ui.system"
  local open

  before_each(function()
    open = {}
  end)

  after_each(function()
    for _, one in ipairs(open) do
      one:close()
    end
  end)

  local function keep(one)
    open[#open + 1] = one
    return one
  end

  local function taken_port()
    return keep(assert(loopback.listen {})):port()
  end

  local function prepare(...)
    return keep(assert(system.prepare { redirect_uris = { ... } }))
  end

  -- A browser that comes back at once to where it is sent.
  local function comes_back(attempt, target)
    return function(url)
      assert(url == URL)
      local port = tonumber(attempt.redirect_uri:match "^http://[^/]-:(%d+)")
      keep(assert(strangers.connect(port))):send(strangers.get(target))
    end
  end

  local function run(attempt, options)
    options.url, options.state = URL, STATE
    return results(attempt:run(options))
  end

  local function never()
  end

  describe("listens", function()
    it("at the first redirect URI whose port is free", function()
      local one, two, three = taken_port(), free_port(), taken_port()
      assert.equal(uri(two), prepare(uri(one), uri(two), uri(three)).redirect_uri)
    end)

    it("at another one for a second login of the same program", function()
      local one, two = free_port(), free_port()
      local first, second = prepare(uri(one), uri(two)), prepare(uri(one), uri(two))
      assert.equal(uri(one), first.redirect_uri)
      assert.equal(uri(two), second.redirect_uri)
      first:close()
      assert.equal(uri(one), prepare(uri(one), uri(two)).redirect_uri)
    end)

    it("passing over what cannot be listened at", function()
      local port = free_port()
      local good = uri(port)
      assert.equal(good, prepare("https://example.com/callback", "com.example.app://login", "http://127.0.0.2:1/",
        "https://127.0.0.1:1/", "http://example.com:1/", "nonsense", good).redirect_uri)
    end)

    it("by name and on IPv6 as well", function()
      for _, host in ipairs { "localhost", "LOCALHOST", "[::1]" } do
        local redirect_uri = "http://" .. host .. ":" .. free_port() .. "/callback"
        local attempt, code, message = system.prepare { redirect_uris = { redirect_uri } }
        if not attempt and host == "[::1]" and not loopback.listen { host = "::1" } then
          return pending "this system has no IPv6"
        end
        assert(attempt, code, message)
        assert.equal(redirect_uri, keep(attempt).redirect_uri)
      end
    end)

    it("nowhere when all ports are taken, and names them", function()
      local one, two = taken_port(), taken_port()
      local got = results(system.prepare { redirect_uris = { uri(one), "app:/x", uri(two) } })
      assert.is_nil(got[1])
      assert.equal("listener", got[2])
      assert.truthy(got[3]:find("port " .. one .. ":", 1, true) and got[3]:find("port " .. two .. ":", 1, true), got[3])
      assert.is_nil(got[3]:find("app:/x", 1, true))
      assert.is_false(got[4])
    end)

    it("nowhere when no redirect URI is of the kind, and says of which kind", function()
      for _, uris in ipairs { {}, { "https://example.com/" }, { "http://127.0.0.1:0/" } } do
        local got = results(system.prepare { redirect_uris = uris })
        assert.is_nil(got[1])
        assert.equal("listener", got[2])
        assert.truthy(got[3]:find("127.0.0.1, [::1] or localhost", 1, true))
      end
    end)
  end)

  describe("gives the URL the browser was sent to", function()
    local query = "?code=c0de&state=" .. STATE

    it("with the redirect URI as it is registered", function()
      local port = free_port()
      local cases = {
        { "http://127.0.0.1:" .. port .. "/callback", "/callback" .. query },
        { "http://127.0.0.1:" .. port .. "/", "/" .. query },
        { "http://127.0.0.1:" .. port, "/" .. query },
        { "http://LocalHost:" .. port .. "/a/b", "/a/b" .. query },
        { "http://127.0.0.1:" .. port .. "/callback?tenant=1", "/callback" .. query .. "&tenant=1" },
      }
      for _, case in ipairs(cases) do
        local attempt = prepare(case[1])
        local got = run(attempt, { open = comes_back(attempt, case[2]) })
        assert.same({ n = 1, case[1]:match "^[^?]*" .. case[2]:match "%?.*" }, got)
        attempt:close()
      end
    end)

    it("though strangers came first", function()
      local port = free_port()
      local attempt, asked = prepare(uri(port)), 0
      local got = run(attempt, {
        open = function()
          keep(strangers.connect(port)):send(strangers.get "/favicon.ico")
          keep(strangers.connect(port)):send(strangers.get "/callback?code=evil&state=guess")
          keep(strangers.connect(port)):send "\22\3\1"
          keep(strangers.connect(port))
        end,
        cancelled = function()
          asked = asked + 1
          if asked == 3 then
            keep(strangers.connect(port)):send(strangers.get("/callback" .. query))
          end
        end,
      })
      assert.equal(uri(port) .. query, got[1])
    end)

    it("in a host that yields, without ever waiting by itself", function()
      local port = free_port()
      local attempt, slept = prepare(uri(port)), 0
      local got
      local co = coroutine.create(function()
        got = run(attempt, {
          open = never,
          sleep = function(seconds)
            assert.is_true(seconds > 0 and seconds <= 0.1)
            slept = slept + 1
            coroutine.yield()
          end,
        })
      end)
      for _ = 1, 5 do
        assert(coroutine.resume(co))
      end
      keep(assert(strangers.connect(port))):send(strangers.get("/callback" .. query))
      assert(coroutine.resume(co))
      assert.equal("dead", coroutine.status(co))
      assert.equal(5, slept)
      assert.equal(uri(port) .. query, got[1])
    end)
  end)

  describe("gives up", function()
    local attempt

    before_each(function()
      attempt = prepare(uri(free_port()))
    end)

    it("when it is cancelled, also before it has begun", function()
      for _, at in ipairs { 1, 2, 4 } do
        local asked, opened = 0, 0
        local got = run(attempt, {
          open = function()
            opened = opened + 1
          end,
          cancelled = function()
            asked = asked + 1
            return asked == at
          end,
        })
        assert.same({ n = 5, nil, "cancelled", "the login was cancelled", false }, got)
        assert.equal(at, asked)
        assert.equal(at == 1 and 0 or 1, opened)
      end
    end)

    it("after the time it was given, or five minutes", function()
      for _, timeout in ipairs { 7, false } do
        local time, last = 1000, nil
        local got = run(attempt, {
          open = never,
          timeout = timeout or nil,
          now = function()
            return time
          end,
          sleep = function(seconds)
            last = time
            time = time + seconds
          end,
        })
        assert.same({ n = 5, nil, "timeout", "the browser did not come back in time", true }, got)
        local limit = 1000 + (timeout or 300)
        assert.is_true(last < limit and time >= limit and time < limit + 0.01)
      end
    end)

    it("by the real clock", function()
      local began = core.now()
      assert.equal("timeout", run(attempt, { open = never, timeout = 0.15 })[2])
      assert.is_true(core.now() - began >= 0.149)
    end)

    it("asks about ten times a second", function()
      local asked, time = 0, 0
      run(attempt, {
        open = never,
        timeout = 10,
        now = function()
          return time
        end,
        sleep = function(seconds)
          time = time + seconds
        end,
        cancelled = function()
          asked = asked + 1
        end,
      })
      assert.is_true(asked >= 99 and asked <= 103, asked)
    end)

    it("when the browser cannot be opened, and says what helps", function()
      local failures = {
        function()
          return false
        end,
        function()
          return nil, "because " .. STATE
        end,
      }
      for _, failing in ipairs(failures) do
        local got = run(attempt, { open = failing })
        assert.equal("browser", got[2])
        assert.truthy(got[3]:find('ui = "console"', 1, true))
        assert.is_nil(got[3]:find(STATE, 1, true))
        assert.is_false(got[4])
      end
    end)

    it("when a function of the user's raises, with what it raised as the cause", function()
      for _, name in ipairs { "open", "cancelled" } do
        local raised = {}
        local options = { open = never }
        options[name] = function()
          error(raised)
        end
        local got = run(attempt, options)
        assert.equal("user_code", got[2])
        assert.truthy(got[3]:find(name == "open" and "opens the browser" or "'cancelled'", 1, true))
        assert.equal(raised, got[5])
      end
    end)

    it("when it was closed", function()
      attempt:close()
      attempt:close()
      local got = run(attempt, { open = never })
      assert.same({ n = 5, nil, "listener", "the listener is closed", false }, got)
    end)

    it("and lets the user's functions yield meanwhile", function()
      local steps = 0
      local co = coroutine.create(function()
        return run(attempt, {
          open = function()
            coroutine.yield()
            return true
          end,
          cancelled = function()
            coroutine.yield()
            return steps > 4
          end,
        })
      end)
      local ok, got
      repeat
        steps = steps + 1
        ok, got = coroutine.resume(co)
        assert.is_true(ok, tostring(got))
      until coroutine.status(co) == "dead" or steps > 50
      assert.equal("cancelled", got[2])
    end)
  end)

  describe("with a real program as the browser", function()
    local dir

    before_each(function()
      dir = files.temp_dir()
    end)

    after_each(function()
      files.remove(dir)
    end)

    -- Does what a browser does: goes to the login page, and from there to the redirect URI in the URL.
    local BROWSER = [[
      local http = require "spec.support.http"
      local function unescape(text)
        return (text:gsub("%%(%x%x)", function(hex) return string.char(tonumber(hex, 16)) end))
      end
      local url = ...
      local back = unescape(url:match "redirect_uri=([^&]+)") .. "?code=c0de&state=" .. url:match "state=([^&]+)"
      local answer = assert(http.request { url = back, timeout = 10 })
      local f = assert(io.open(DIR .. "/page.part", "w"))
      f:write(answer.status, " ", answer.body)
      f:close()
      os.rename(DIR .. "/page.part", DIR .. "/page")
    ]]

    local LOGIN = [[
      local system, core = require "authgear.ui.system", require "authgear.core"
      local port, dir = ...
      local attempt = assert(system.prepare { redirect_uris = { "http://127.0.0.1:" .. port .. "/callback" } })
      local url = "https://auth.example.com/oauth2/authorize?state=s123&redirect_uri="
        .. core.percent_encode(attempt.redirect_uri)
      local function show(...)
        print(...)
        return ...
      end
      local came = show(attempt:run { url = url, state = "s123", timeout = 20 })
      attempt:close()
      for _ = 1, came and 1000 or 0 do
        local f = io.open(dir .. "/page")
        if f then
          print((f:read "*a"))
          break
        end
        core.sleep(0.01)
      end
    ]]

    local function browser(name)
      files.write(dir .. "/" .. name, "#!" .. program.interpreter() .. "\n"
        .. ("package.path, package.cpath = %q, %q\nlocal DIR = %q\n"):format(package.path, package.cpath, dir) .. BROWSER)
      files.sh("chmod 755", dir .. "/" .. name)
    end

    for _, case in ipairs { { "xdg-open" }, { "a-browser", "a-browser" } } do
      it("called " .. case[1], function()
        browser(case[1])
        local port = free_port()
        local out = program.run(LOGIN, {
          args = { port, dir }, env = { PATH = dir .. ":/usr/bin:/bin", BROWSER = case[2] },
        })
        local url, page = out:match "^([^\n]*)\n(.*)$"
        assert.equal(uri(port) .. "?code=c0de&state=s123", url, out)
        assert.truthy(page:find("^200 <!DOCTYPE html>.*You can close this window"), out)
      end)
    end

    it("that is not there", function()
      local out = program.run(LOGIN, { args = { free_port(), "/nonexistent" }, env = { PATH = dir } })
      assert.truthy(out:find('^nil\tbrowser\tno program [^\n]*; without a browser, use ui = "console"\tfalse'), out)
    end)
  end)
end)
