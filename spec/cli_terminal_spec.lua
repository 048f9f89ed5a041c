-- The command-line tool on a terminal (script's): colours, the line break at a body's end, what is no text, being asked, and
-- Ctrl-C, wherever it waits.
-- takes: 6
-- runs-on: 5.1 5.4 jit

local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local tool = require "spec.support.tool"

describe("the command-line tool on a terminal", function()
  local dev, home

  before_each(function()
    dev = server.shared()
    home = tool.home { AUTHGEAR_ENDPOINT = dev.endpoint, AUTHGEAR_CLIENT_ID = "native",
      AUTHGEAR_REDIRECT_URI = sdk.free_redirect_uri() }
    dev:add_redirect_uris("native", { home.env.AUTHGEAR_REDIRECT_URI })
  end)

  after_each(function()
    home:remove()
  end)

  local function log_in(client_id)
    local client = assert(authgear.new { endpoint = dev.endpoint, client_id = client_id or "native", name = "cli",
      storage = authgear.storage.file { dir = home.dir .. "/data/authgear" } })
    sdk.log_in(dev, client)
    client:close()
  end

  -- What it shows, with the terminal's line ends as they are in a pipe.
  local function shows(status, args, env)
    local running = home:start(args, { terminal = true, env = env })
    local got, out = running:wait()
    assert.equal(status, got, out)
    return (out:gsub("\r\n", "\n"))
  end

  -- Presses Ctrl-C once it has printed what the pattern finds.
  local function interrupt(args, pattern, env)
    local running = home:start(args, { terminal = true, env = env })
    running:hear(pattern)
    running:say "\3"
    local status, out = running:wait()
    assert.equal(130, status, out)
    assert.is_nil(out:find("traceback", 1, true), out)
    assert.is_nil(out:find("interrupted!", 1, true), out)
  end

  it("has colours, unless they are not wanted", function()
    log_in()
    assert.truthy(shows(0, { "status" }):find("state      \27[32mlogged in\27[0m\n", 1, true))
    assert.is_nil(shows(0, { "status" }, { NO_COLOR = "1" }):find("\27", 1, true))
    assert.is_nil(shows(0, { "status" }, { TERM = "dumb" }):find("\27", 1, true))
    assert.truthy(shows(0, { "doctor" }):find("\27[32mok  \27[0m  discovery", 1, true))
    local _, out = home:run { "doctor" }
    assert.is_nil(out:find("\27", 1, true))
  end)

  it("ends a body with a line break, and shows nothing that is no text", function()
    log_in()
    assert.equal("plain\n", shows(0, { "fetch", dev.app .. "/api/bytes?type=text/plain&b64=cGxhaW4=" }))
    local _, out = home:run { "fetch", dev.app .. "/api/bytes?type=text/plain&b64=cGxhaW4=" }
    assert.equal("plain", out)
    local binary = dev.app .. "/api/bytes?type=text/plain&b64=AP8b"
    for _, args in ipairs { { "fetch", binary }, { "fetch", "-i", binary } } do
      local text = shows(1, args)
      assert.truthy(text:find("the body is not text; save it with --output FILE", 1, true), text)
      assert.is_nil(text:find("\255", 1, true))
    end
    assert.equal("\0\255\27", shows(0, { "fetch", "-o", "-", binary }))
  end)

  it("asks for what configure was not given, and keeps what was there", function()
    home.env.AUTHGEAR_ENDPOINT, home.env.AUTHGEAR_CLIENT_ID = nil, nil
    local running = home:start({ "configure" }, { terminal = true })
    running:hear "Endpoint[^\n]*: $"
    running:say(dev.endpoint .. "\n")
    running:hear "Client id: $"
    running:say "native\n"
    local status, out = running:wait()
    assert.equal(0, status, out)
    assert.truthy(out:find("Next: authgear login", 1, true))
    running = home:start({ "configure" }, { terminal = true })
    running:hear("Endpoint[^\n]* %[" .. dev.endpoint:gsub("%p", "%%%0") .. "%]: $")
    running:say "\n"
    running:hear "Client id %[native%]: $"
    running:say "another\n"
    assert.equal(0, (running:wait()))
    status, out = home:run { "configure", "--show" }
    assert.equal(0, status)
    assert.truthy(out:find("client_id     another", 1, true), out)
    assert.truthy(out:find(dev.endpoint, 1, true), out)
  end)

  it("logs in by pasting", function()
    local running = home:start({ "login" }, { terminal = true })
    local url = running:hear "\n  (http%S+)\r\n"
    running:hear "> $"
    running:say(dev:visit(url).location .. "\n")
    local status, out = running:wait()
    assert.equal(0, status, out)
    assert.truthy(out:find("Logged in as ", 1, true))
  end)

  describe("ends with Ctrl-C", function()
    it("while it waits for a line", function()
      interrupt({ "login", "--console" }, "> $")
      home.env.AUTHGEAR_ENDPOINT = nil
      interrupt({ "configure" }, "Endpoint[^\n]*: $")
    end)

    it("while it reads what is to be sent", function()
      files.sh("mkfifo", home.dir .. "/first")
      local running = home:start({ "fetch", "-d", "@" .. home.dir .. "/first", "-d", "@-", dev.app .. "/public/echo" },
        { terminal = true })
      files.sh("timeout 60 sh -c " .. files.quote("echo a=1 >" .. home.dir .. "/first")) -- goes on once it reads there
      core.sleep(0.2) -- it is at standard input by then, most likely; before, Ctrl-C ends it as well
      running:say "\3"
      local status, out = running:wait()
      assert.equal(130, status, out)
    end)

    it("while it waits for the browser", function()
      files.write(home.dir .. "/browser", "#!/bin/sh\necho started >" .. home.dir .. "/started\n")
      files.sh("chmod 755", home.dir .. "/browser")
      local running = home:start({ "login", "--browser" },
        { terminal = true, env = { DISPLAY = ":0", BROWSER = home.dir .. "/browser" } })
      sdk.poll("the browser", function()
        return files.read(home.dir .. "/started")
      end, 60)
      running:say "\3"
      local status, out = running:wait()
      assert.equal(130, status, out)
      assert.is_nil(out:find("traceback", 1, true), out)
    end)

    it("while a server does not answer, and the session is kept", function()
      log_in()
      dev:reset()
      dev:fault { target = "userinfo", kind = "hang" }
      local running = home:start({ "userinfo" }, { terminal = true })
      sdk.poll("the request", function()
        return #dev:log { target = "userinfo", event = "received" } > 0
      end, 60)
      running:say "\3"
      local status, out = running:wait()
      assert.equal(130, status, out)
      assert.equal(0, (home:run { "status" }))
    end)

    it("while a token request is under way, whose answer is stored all the same", function()
      log_in "rotating"
      dev:reset()
      home.env.AUTHGEAR_CLIENT_ID = "rotating"
      local path = home.dir .. "/data/authgear/cli.json"
      local before = sdk.refresh_token(files.read(path))
      dev:fault { target = "token", kind = "slow", ms = 1000, when = "after" }
      local running = home:start({ "token", "--refresh" }, { terminal = true })
      sdk.poll("the request", function()
        return #dev:log { target = "token", event = "rotated" } > 0
      end, 60)
      running:say "\3"
      local status, out = running:wait()
      assert.equal(130, status, out)
      local after = sdk.refresh_token(files.read(path))
      assert.is_false(after == before)
      assert.is_nil(out:find(after, 1, true))
      assert.equal(0, (home:run { "fetch", "--fail", dev.app .. "/api/hello" }))
    end)
  end)
end)
