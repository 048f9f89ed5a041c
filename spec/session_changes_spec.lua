-- What others do to a session, clients and processes, and when its access token is refreshed.

local desks = require "spec.support.desk"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local CONFIGURED = "NO_SESSION NO_TOKEN"

describe("a session", function()
  local dev, desk, dir, clock

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    desk = desks.new(dev)
    dir, clock = desk.dir, desk.clock
  end)

  after_each(function()
    desk:close()
  end)

  -- A client without a clock of its own sends what is simple at once; it must look all the same.
  local function show_changes(with_clock)
    local one, two, seen

    before_each(function()
      one = desk:open { clock = with_clock and clock }
      two, seen = desk:open { clock = with_clock and clock }
    end)

    it("shows a log-in at the next call", function()
      sdk.log_in(dev, one)
      assert.equal("NO_SESSION", two:session_state())
      assert.equal(200, sdk.hello(dev, two))
      assert.same({ CONFIGURED, "AUTHENTICATED FOUND_TOKEN" }, seen)
      assert.equal(one:access_token(), two:access_token())
    end)

    it("shows a log-in to refresh_access_token_if_needed, with the system's clock too", function()
      local three, heard = desk:open { clock = false }
      sdk.log_in(dev, one)
      sdk.poll("the log-in", function()
        assert.is_true(three:refresh_access_token_if_needed())
        return three:access_token()
      end)
      assert.same({ CONFIGURED, "AUTHENTICATED FOUND_TOKEN" }, heard)
      assert.equal(0, sdk.refreshes(dev))
    end)

    for _, how in ipairs { "logout", "clear_session_state" } do
      it("shows " .. how .. " at the next call", function()
        sdk.log_in(dev, one)
        for _ = 1, 3 do
          assert.equal(200, sdk.hello(dev, two))
        end
        assert.is_true(one[how](one))
        assert.equal("AUTHENTICATED", two:session_state())
        assert.equal(401, sdk.hello(dev, two)) -- sent without a token
        assert.same({ CONFIGURED, "AUTHENTICATED FOUND_TOKEN", CONFIGURED }, seen)
        assert.is_nil(two:access_token())
        assert.is_nil(two:authorization_header())
      end)
    end

    it("brings a refreshed token along, silently", function()
      sdk.log_in(dev, one)
      for _ = 1, 3 do
        assert.equal(200, sdk.hello(dev, two))
      end
      assert.is_true(one:refresh_access_token())
      assert.equal(200, sdk.hello(dev, two))
      assert.equal(one:access_token(), two:access_token())
      assert.equal(1, sdk.refreshes(dev))
      assert.equal(2, #seen)
    end)

    it("shows who logged in last", function()
      dev:control("/users", { name = "other" })
      sdk.log_in(dev, one)
      local first = assert(two:fetch_user_info())
      dev:login { user = "other" }
      sdk.log_in(dev, one)
      dev:login { user = "user" }
      local second = assert(two:fetch_user_info())
      assert.not_equal(first.sub, second.sub)
    end)

    it("shows what another process does", function()
      sdk.log_in(dev, one)
      for _ = 1, 3 do
        assert.equal(200, sdk.hello(dev, two))
      end
      local child = files.child(([[
        local authgear = require "authgear"
        local client = assert(authgear.new {
          endpoint = %q, client_id = "native", storage = authgear.storage.file { dir = %q },
        })
        say(client:session_state())
        say(tostring(client:refresh_access_token()))
        hear()
        say(tostring(client:logout()))
        hear()
      ]]):format(dev.endpoint, dir))
      assert.equal("AUTHENTICATED", child:hear())
      assert.equal("true", child:hear())
      local before = two:access_token()
      assert.equal(200, sdk.hello(dev, two))
      assert.not_equal(before, two:access_token())
      child:say ""
      assert.equal("true", child:hear())
      child:finish()
      assert.equal(401, sdk.hello(dev, two))
      assert.same({ CONFIGURED, "AUTHENTICATED FOUND_TOKEN", CONFIGURED }, seen)
      assert.equal(1, sdk.refreshes(dev))
    end)
  end

  describe("that others change", function()
    show_changes(true)
  end)

  describe("that others change, as a client without a clock of its own sees it,", function()
    show_changes(false)
  end)

  describe("whose access token grows old", function()
    local client

    before_each(function()
      client = desk:open { client_id = "rotating" }
      sdk.log_in(dev, client)
    end)

    local function asked()
      return sdk.refreshes(dev, "rotating")
    end

    it("is refreshed at nine tenths of its life, and not before", function()
      clock.ahead = 1800 * 0.9 - 10
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(200, sdk.hello(dev, client))
      assert.equal(0, asked())
      clock.ahead = 1800 * 0.9 + 1
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, asked())
      assert.equal(200, sdk.hello(dev, client))
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, asked())
    end)

    it("is refreshed in time by the system's clock as well", function()
      dev:settings { ttl = { native = 2 } }
      local other = desk:open { name = "other", clock = false }
      sdk.log_in(dev, other)
      local first = other:access_token()
      sdk.poll("a refresh", function()
        assert.equal(200, sdk.hello(dev, other))
        return other:access_token() ~= first
      end)
      assert.equal(1, sdk.refreshes(dev))
      assert.equal(0, dev:counters().app.failed) -- before a server refused it
    end)

    it("is refreshed when the clock makes no sense", function()
      clock.ahead = -100
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, asked())
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, asked())
    end)

    it("is not fooled by a wall clock that was set", function()
      clock.wall = function()
        return 0
      end
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(0, asked())
    end)

    it("can be asked for another before that", function()
      local first = client:access_token()
      assert.is_true(client:refresh_access_token())
      local second = client:access_token()
      assert.not_equal(first, second)
      assert.equal(1, asked())
      -- Each time: the caller knows why (a role has changed, say).
      assert.is_true(client:refresh_access_token())
      assert.not_equal(second, client:access_token())
      assert.equal(2, asked())
    end)

    it("has nothing to refresh without a session", function()
      assert.is_true(client:logout())
      assert.is_true(client:refresh_access_token_if_needed())
      assert.is_true(client:refresh_access_token())
      assert.is_nil(client:access_token())
      assert.equal(0, asked())
      local _, err = client:fetch_user_info()
      assert.equal("no_session", err.code)
    end)

    it("keeps what the disk refused in memory, shows it to nobody, and stores it with the next call", function()
      local test = require("authgear.file").test
      local before, record = client:access_token(), files.read(sdk.record_path(dir))
      clock.ahead = 1700
      test.fault { op = "write", nth = 1, times = 1000, errno = "ENOSPC" }
      local ok, err = client:refresh_access_token_if_needed()
      test.fault()
      assert.is_nil(ok)
      assert.equal("storage", err.code)
      assert.is_true(err.retryable)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(before, client:access_token())
      assert.equal(record, files.read(sdk.record_path(dir)))
      assert.equal(200, sdk.hello(dev, client))
      assert.equal(1, asked())
      assert.not_equal(before, client:access_token())
      local other = desk:open { client_id = "rotating" }
      assert.equal(client:access_token(), other:access_token())
    end)
  end)
end)
