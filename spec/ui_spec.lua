-- The user interfaces of a login (authgear.ui): the console, the user's own, and which one it is.
-- The browser stands in ui_browser_spec.

local files = require "spec.support.files"
local program = require "spec.support.program"
local ui = require "authgear.ui"

local STATE = "st4te-Of_this~login"
local URL = "https://auth.example.com/oauth2/authorize?client_id=a&state=" .. STATE

-- Gives what fn gave, with its length, so that a missing value and nil can be told apart.
local function results(...)
  return { n = select("#", ...), ... }
end

describe("the console ui", function()
  local console = require "authgear.ui.console"
  local REDIRECT = "http://127.0.0.1:8123/callback"
  local PASTED = REDIRECT .. "?code=c0de-1234567890&state=" .. STATE

  -- Runs it with these lines typed in: what it gave, what it printed, how many lines it left.
  local function typed(lines, options, redirect_uri)
    local printed, at = {}, 0
    local attempt = assert(console.prepare {
      redirect_uris = { redirect_uri or REDIRECT, "http://localhost:1/" },
      input = {
        read = function(_, format)
          assert(format == "*l")
          at = at + 1
          return lines[at]
        end,
      },
      output = {
        write = function(_, ...)
          printed[#printed + 1] = table.concat { ... }
        end,
      },
    })
    assert.equal(redirect_uri or REDIRECT, attempt.redirect_uri)
    options = options or {}
    options.url, options.state = URL, STATE
    local got = results(attempt:run(options))
    attempt:close()
    return got, table.concat(printed), #lines - at
  end

  it("prints the URL and takes the line that is pasted", function()
    local got, printed = typed { PASTED }
    assert.same({ n = 1, PASTED }, got)
    local _, times = printed:gsub(URL:gsub("%p", "%%%0"), "")
    assert.equal(1, times)
    assert.truthy(printed:find("  " .. URL .. "\n", 1, true), printed)
  end)

  it("takes it with what people paste around it", function()
    for _, line in ipairs { "  " .. PASTED .. " \t", PASTED .. "\r", "<" .. PASTED .. ">", '"' .. PASTED .. '"',
      "'" .. PASTED .. "'", "\0" .. PASTED } do
      assert.equal(PASTED, typed({ line })[1])
    end
    local query = "?code=1&state=" .. STATE
    assert.equal("http://localhost:1234" .. query,
      typed({ "http://localhost:1234/" .. query }, nil, "http://localhost:1234")[1])
    assert.equal("com.example.app:/login" .. query,
      typed({ "com.example.app:/login" .. query }, nil, "com.example.app:/login")[1])
  end)

  it("asks again for what is not the redirect URL, three times", function()
    local wrong = {
      "yes", "hello world", URL, REDIRECT, REDIRECT .. "x?code=1", "http://127.0.0.1:8124/callback?code=s3cret",
      "https://127.0.0.1:8123/callback?code=s3cret", REDIRECT .. "/?code=s3cret", PASTED .. " and more",
    }
    for _, line in ipairs(wrong) do
      local got, printed, left = typed { line, line, PASTED, "never read" }
      assert.equal(PASTED, got[1])
      assert.equal(1, left)
      assert.is_nil(printed:find("s3cret", 1, true))
      assert.truthy(printed:find("It starts with\n  " .. REDIRECT .. "?\n", 1, true), printed)
      got, printed, left = typed { line, line, line, PASTED }
      assert.same({ n = 4, nil, "callback", "what was pasted is not the redirect URI with a query", false }, got)
      assert.equal(1, left)
      assert.is_nil(printed:find("s3cret", 1, true))
    end
  end)

  it("takes an empty line, or the end of the input, for no", function()
    for _, lines in ipairs { {}, { "" }, { "  \t\r" }, { "nonsense" }, { "nonsense", "", PASTED } } do
      local got = typed(lines)
      assert.same({ n = 4, nil, "cancelled", "no address was pasted", false }, got)
    end
  end)

  it("does not print what was pasted", function()
    local _, printed = typed { PASTED:gsub("callback", "callbakc") .. "", PASTED }
    assert.is_nil(printed:find("c0de", 1, true))
    assert.is_nil(printed:find("callbakc", 1, true))
  end)

  it("asks whether it was cancelled first", function()
    local got, printed = typed({ PASTED }, {
      cancelled = function()
        return true
      end,
    })
    assert.equal("cancelled", got[2])
    assert.equal("", printed)
    got = typed({ PASTED }, {
      cancelled = function()
        error "no"
      end,
    })
    assert.equal("user_code", got[2])
    assert.truthy(got[5]:find "no$")
  end)

  it("needs a redirect URI", function()
    assert.same({ n = 4, nil, "listener", "no redirect URI was given", false }, results(console.prepare { redirect_uris = {} }))
  end)

  it("uses standard input and standard error, and leaves standard output alone", function()
    local dir = files.temp_dir()
    files.write(dir .. "/in", "what?\n" .. PASTED .. "\n")
    local out = program.run(([[
      local attempt = assert(require("authgear.ui.console").prepare { redirect_uris = { %q } })
      local url = attempt:run { url = %q, state = "s" }
      io.stdout:write(url == %q and "good" or "bad")
    ]]):format(REDIRECT, URL, PASTED), { shell = "<" .. files.quote(dir .. "/in") .. " 2>" .. files.quote(dir .. "/err") })
    local printed = files.read(dir .. "/err")
    files.remove(dir)
    assert.equal("good", out)
    assert.truthy(printed:find(URL, 1, true))
    assert.is_nil(printed:find("c0de", 1, true))
  end)
end)

describe("the choice of a ui", function()
  local REQUEST = { url = URL, state = STATE, timeout = 12, cancelled = function() end, sleep = print, open = print }

  local function own(fn)
    local attempt = assert(ui.choose(fn).prepare { redirect_uris = { "app:/one", "app:/two" } })
    local got = results(attempt:run(REQUEST))
    attempt:close()
    return got
  end

  it("is by name", function()
    assert.equal(require "authgear.ui.system", ui.choose "browser")
    assert.equal(require "authgear.ui.console", ui.choose "console")
    local table_of_ones_own = { prepare = function() end }
    assert.equal(table_of_ones_own, ui.choose(table_of_ones_own))
  end)

  it("is the browser where there is one, else the console", function()
    local code = [[
      local chosen = require("authgear.ui").choose()
      print(chosen == package.loaded["authgear.ui.system"], chosen == package.loaded["authgear.ui.console"])
    ]]
    local dir = files.temp_dir()
    files.write(dir .. "/xdg-open", "#!/bin/sh\n")
    files.sh("chmod 755", dir .. "/xdg-open")
    local path = dir .. ":/usr/bin:/bin"
    assert.equal("true\tfalse\n", program.run(code, { env = { PATH = path, DISPLAY = ":0" } }))
    assert.equal("false\ttrue\n", program.run(code, { env = { PATH = path } }))
    files.remove(dir)
  end)

  it("loads nothing that is not chosen", function()
    local out = program.run [[
      local ui = require "authgear.ui"
      ui.choose(print)
      print(package.loaded["authgear.loopback"], package.loaded["authgear.ui.system"])
      ui.choose "console"
      print(package.loaded["authgear.loopback"], package.loaded["authgear.core"])
    ]]
    assert.equal("nil\tnil\nnil\tnil\n", out)
  end)

  it("raises for anything else", function()
    for _, option in ipairs { "safari", "", 5, true, false, {}, { prepare = true } } do
      local ok, message = pcall(ui.choose, option)
      assert.is_false(ok)
      assert.truthy(message:find("ui: ", 1, true), message)
    end
  end)

  describe("may be a function", function()
    it("which gets what it needs, and gives the URL", function()
      local seen
      assert.same({ n = 1, "app:/one?code=1" }, own(function(request)
        seen = request
        return "app:/one?code=1"
      end))
      assert.same({ url = URL, state = STATE, redirect_uri = "app:/one", timeout = 12, cancelled = REQUEST.cancelled }, seen)
    end)

    it("which gives up", function()
      assert.same({ n = 4, nil, "cancelled", "the ui function gave no redirect URL", false }, own(function()
        return nil
      end))
      assert.same({ n = 4, nil, "cancelled", "the ui function gave no redirect URL", false }, own(function() end))
      assert.same({ n = 5, nil, "timeout", "too late", true, "c" }, own(function()
        return nil, { code = "timeout", message = "too late", retryable = true, cause = "c" }
      end))
      assert.same({ n = 5, nil, "user_code", "the ui function failed", false, "why: " .. STATE }, own(function()
        return nil, "why: " .. STATE
      end))
      local cause = { status = 5 }
      assert.equal(cause, own(function()
        return false, cause
      end)[5])
    end)

    it("which raises, or returns nonsense", function()
      local raised = {}
      assert.same({ n = 5, nil, "user_code", "the ui function raised an error", false, raised }, own(function()
        error(raised)
      end))
      assert.same({ n = 4, nil, "user_code", "the ui function returned a table instead of the redirect URL", false },
        own(function()
          return {}
        end))
    end)

    it("which yields", function()
      local co = coroutine.create(function()
        return own(function(request)
          return coroutine.yield(request.url)
        end)
      end)
      assert.equal(URL, select(2, coroutine.resume(co)))
      assert.same({ n = 1, "app:/one?code=2" }, select(2, coroutine.resume(co, "app:/one?code=2")))
    end)

    it("but needs a redirect URI", function()
      assert.equal("listener", (select(2, ui.choose(print).prepare { redirect_uris = {} })))
    end)
  end)
end)
