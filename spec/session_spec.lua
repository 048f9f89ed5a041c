-- The session's state and its events: what configure finds, and what happens to it here.

local authgear = require "authgear"
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

  local function requests()
    return #dev:log { event = "received" }
  end

  describe("before configure", function()
    it("is unknown, and no call works", function()
      local client = require("authgear.client").new()
      assert.equal("UNKNOWN", client:session_state())
      assert.is_nil(client:access_token())
      assert.is_nil(client:authorization_header())
      local calls = {
        fetch = { dev.app }, refresh_access_token = {}, refresh_access_token_if_needed = {}, fetch_user_info = {},
        logout = {}, clear_session_state = {}, finish_authentication = { "http://x/" },
        start_authentication = { { redirect_uri = sdk.REDIRECT_URI } }, handle_unauthorized = { { status = 401 } },
      }
      for name, args in pairs(calls) do
        local ok, err = client[name](client, args[1])
        assert.is_nil(ok)
        assert.equal("not_configured", err.code, name)
        assert.is_false(err.retryable)
      end
    end)

    it("is unknown on the module as well", function()
      assert.equal("UNKNOWN", authgear.session_state())
      local _, err = authgear.fetch(dev.app)
      assert.equal("not_configured", err.code)
    end)
  end)

  describe("found by configure", function()
    it("is none, without a request", function()
      local client, seen = desk:open()
      assert.equal("NO_SESSION", client:session_state())
      assert.same({ CONFIGURED }, seen)
      assert.equal(0, requests())
    end)

    it("is there after a restart, without a request", function()
      local client = desk:open()
      sdk.log_in(dev, client)
      local token = client:access_token()
      client:close()
      dev:reset()
      local again, seen = desk:open()
      assert.equal("AUTHENTICATED", again:session_state())
      assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen)
      assert.equal(0, requests())
      assert.equal(token, again:access_token())
      assert.equal(200, sdk.hello(dev, again))
    end)

    it("is there though the server is not", function()
      local client = desk:open()
      sdk.log_in(dev, client)
      local token = client:access_token()
      dev:revoke {}
      local again = desk:open()
      assert.equal("AUTHENTICATED", again:session_state()) -- it is what this side knows
      assert.equal(token, again:access_token())
      assert.equal("Bearer " .. token, again:authorization_header())
    end)

    it("is another's under each name", function()
      local one, two = desk:open { name = "one" }, desk:open { name = "two" }
      sdk.log_in(dev, one)
      assert.is_true(two:refresh_access_token_if_needed())
      assert.equal("NO_SESSION", two:session_state())
      sdk.log_in(dev, two)
      assert.not_equal(one:access_token(), two:access_token())
      assert.is_true(one:logout())
      assert.equal(200, sdk.hello(dev, two))
    end)

    it("is refused when it is another client's or endpoint's, and stays as it was", function()
      sdk.log_in(dev, (desk:open()))
      local before = files.read(sdk.record_path(dir))
      for _, other in ipairs { { client_id = "rotating" }, { endpoint = dev.app } } do
        local client, err = desk:try_open(other)
        assert.is_nil(client)
        assert.equal("storage_foreign", err.code)
        assert.is_false(err.retryable)
      end
      assert.equal(before, files.read(sdk.record_path(dir)))
      assert.equal("AUTHENTICATED", desk:open():session_state())
    end)

    it("is refused when it is damaged or of a newer release, and can be cleared by force", function()
      sdk.log_in(dev, (desk:open()))
      local path = sdk.record_path(dir)
      local good = files.read(path)
      local cases = {
        { "", "storage_damaged" }, { good:sub(1, 100), "storage_damaged" }, { "{}", "storage_damaged" },
        { (good:gsub('"version":1', '"version":2')), "storage_version" },
        { (good:gsub('"refresh_token":"', '"refresh_token":7,"x":"')), "storage_damaged" },
      }
      for _, case in ipairs(cases) do
        files.write(path, case[1])
        local client = require("authgear.client").new()
        local ok, err = client:configure {
          endpoint = dev.endpoint, client_id = "native", storage = authgear.storage.file { dir = dir },
        }
        assert.is_nil(ok)
        assert.equal(case[2], err.code)
        assert.equal("UNKNOWN", client:session_state())
        -- Nobody can log in over it by accident.
        local started, why = client:start_authentication { redirect_uri = sdk.REDIRECT_URI }
        assert.is_nil(started)
        assert.equal(case[2], why.code)
        local cleared, again = client:clear_session_state()
        assert.is_nil(cleared)
        assert.equal(case[2], again.code)
        assert.equal(case[1], files.read(path))
        assert.is_true(client:clear_session_state { force = true })
        assert.equal("NO_SESSION", client:session_state())
        assert.is_nil(files.read(path))
        client:close()
      end
      files.write(path, good) -- the twin
      files.sh("chmod 600", path)
      assert.equal("AUTHENTICATED", desk:open():session_state())
    end)
  end)

  describe("that is configured again", function()
    it("takes the new options, and keeps the listeners that were added", function()
      local client, seen = desk:open()
      local added = {}
      client:on_session_state_change(function(_, state, reason)
        added[#added + 1] = state .. " " .. reason
      end)
      sdk.log_in(dev, client)
      assert.is_true(client:configure { endpoint = dev.endpoint, client_id = "native", name = "elsewhere",
        storage = authgear.storage.file { dir = dir } })
      assert.equal("NO_SESSION", client:session_state())
      assert.is_nil(client:access_token())
      assert.is_true(client:configure { endpoint = dev.endpoint, client_id = "native",
        storage = authgear.storage.file { dir = dir } })
      assert.equal("AUTHENTICATED", client:session_state())
      assert.same({ CONFIGURED, "AUTHENTICATED AUTHENTICATED" }, seen)
      assert.same({ "AUTHENTICATED AUTHENTICATED", CONFIGURED, "AUTHENTICATED FOUND_TOKEN" }, added)
    end)

    it("stays as it was when the new options are no good", function()
      local client = desk:open()
      sdk.log_in(dev, client)
      local ok, err = client:configure { endpoint = "http://example.com", client_id = "native" }
      assert.is_nil(ok)
      assert.equal("insecure_url", err.code)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(200, sdk.hello(dev, client))
    end)

    it("is closed for good by close", function()
      local client = desk:open()
      sdk.log_in(dev, client)
      client:close()
      client:close()
      assert.equal("UNKNOWN", client:session_state())
      local _, err = client:fetch(dev.app)
      assert.equal("closed", err.code)
      _, err = client:configure { endpoint = dev.endpoint, client_id = "native" }
      assert.equal("closed", err.code)
    end)
  end)

  describe("tells its listeners", function()
    it("each change and its reason", function()
      local client, seen = desk:open()
      sdk.log_in(dev, client)
      sdk.log_in(dev, client, { x_state = "again" })
      assert.is_true(client:logout())
      sdk.log_in(dev, client)
      assert.is_true(client:clear_session_state())
      sdk.log_in(dev, client)
      dev:revoke {}
      assert.is_true(client:refresh_access_token())
      assert.same({
        CONFIGURED, "AUTHENTICATED AUTHENTICATED", "AUTHENTICATED AUTHENTICATED", "NO_SESSION LOGOUT",
        "AUTHENTICATED AUTHENTICATED", "NO_SESSION CLEAR", "AUTHENTICATED AUTHENTICATED", "NO_SESSION INVALID",
      }, seen)
    end)

    it("nothing when a token is refreshed, or when nothing changes", function()
      local client, seen = desk:open()
      sdk.log_in(dev, client)
      clock.ahead = 1700
      assert.equal(200, sdk.hello(dev, client))
      assert.is_true(client:refresh_access_token_if_needed())
      assert(client:fetch_user_info())
      assert.equal(2, #seen)
    end)

    it("after the change is stored and can be seen", function()
      local states = {}
      local client
      client = desk:open { on_session_state_change = function(changed, state)
        local other = assert(authgear.new {
          endpoint = dev.endpoint, client_id = "native", storage = authgear.storage.file { dir = dir },
        })
        states[#states + 1] = { state, changed:session_state(), other:session_state(), changed:access_token() ~= nil }
        other:close()
      end }
      sdk.log_in(dev, client)
      dev:revoke {}
      assert.is_true(client:refresh_access_token())
      assert.same({
        { "NO_SESSION", "NO_SESSION", "NO_SESSION", false },
        { "AUTHENTICATED", "AUTHENTICATED", "AUTHENTICATED", true },
        { "NO_SESSION", "NO_SESSION", "NO_SESSION", false },
      }, states)
    end)

    it("in their order, all of them, until they are taken off", function()
      local heard = {}
      local client = desk:open()
      local function listen(name)
        return client:on_session_state_change(function(_, state)
          heard[#heard + 1] = name .. " " .. state
        end)
      end
      listen "a"
      local remove = listen "b"
      listen "c"
      sdk.log_in(dev, client)
      remove()
      remove()
      assert.is_true(client:logout())
      assert.same({ "a AUTHENTICATED", "b AUTHENTICATED", "c AUTHENTICATED", "a NO_SESSION", "c NO_SESSION" }, heard)
    end)

    it("also when one of them uses the client", function()
      local client, seen = desk:open()
      local info
      client:on_session_state_change(function(one, state, reason)
        if reason == "AUTHENTICATED" then
          info = assert(one:fetch_user_info())
        elseif reason == "LOGOUT" then
          assert.equal("NO_SESSION", state)
          sdk.log_in(dev, one)
        end
      end)
      local logged_in = sdk.log_in(dev, client)
      assert.equal(logged_in.sub, info.sub)
      assert.is_true(client:logout())
      assert.equal("AUTHENTICATED", client:session_state())
      assert.same({ CONFIGURED, "AUTHENTICATED AUTHENTICATED", "NO_SESSION LOGOUT", "AUTHENTICATED AUTHENTICATED" }, seen)
    end)

    it("and raises what they raise, the change being done", function()
      local client = desk:open()
      sdk.log_in(dev, client)
      local remove = client:on_session_state_change(function()
        error({ "mine" }, 0)
      end)
      local ok, raised = pcall(client.logout, client)
      assert.is_false(ok)
      assert.same({ "mine" }, raised)
      remove()
      assert.equal("NO_SESSION", client:session_state())
      assert.is_nil(files.read(sdk.record_path(dir)))
      sdk.log_in(dev, client) -- and nothing is stuck
      assert.equal(200, sdk.hello(dev, client))
    end)
  end)
end)
