-- Ending a session from this side: logout, which tells the server (RFC 7009), and clear_session_state, which doesn't.

local desks = require "spec.support.desk"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

describe("ending a session", function()
  local dev, desk, dir

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    desk = desks.new(dev, { client_id = "rotating", clock = false })
    dir = desk.dir
  end)

  after_each(function()
    desk:close()
  end)

  local function open(more)
    return desk:open(more)
  end

  local function logged_in(more)
    local client, seen = open(more)
    sdk.log_in(dev, client)
    return client, seen
  end

  local function revocations()
    return #dev:log { target = "revoke", event = "received" }
  end

  local function record()
    return files.read(sdk.record_path(dir))
  end

  local function alive()
    local n = 0
    for _, session in ipairs(dev:control "/sessions") do
      n = n + (session.revoked and 0 or 1)
    end
    return n
  end

  local function gone(client, seen, reason)
    assert.equal("NO_SESSION", client:session_state())
    assert.is_nil(client:access_token())
    assert.is_nil(client:authorization_header())
    assert.is_nil(record())
    assert.equal("NO_SESSION " .. reason, seen[#seen])
    assert.equal("NO_SESSION", open():session_state())
  end

  describe("with logout", function()
    it("ends it here and at the server", function()
      local client, seen = logged_in()
      local token = client:access_token()
      assert.equal(1, alive())
      assert.is_true(client:logout())
      gone(client, seen, "LOGOUT")
      assert.equal(1, revocations())
      assert.equal(0, alive())
      assert.is_false(dev:control("/check", { access_token = token }).active)
    end)

    it("of a confidential client", function()
      local client, seen = logged_in { client_id = "confidential", client_secret = "confidentialsecret" }
      assert.is_true(client:logout())
      assert.equal("NO_SESSION LOGOUT", seen[#seen])
      assert.equal(0, alive())
    end)

    it("right after a restart, with no metadata yet", function()
      logged_in()
      local client, seen = open()
      assert.is_true(client:logout())
      gone(client, seen, "LOGOUT")
      assert.equal(0, alive())
    end)

    it("twice, and without a session, is nothing to do", function()
      local client, seen = open()
      assert.is_true(client:logout())
      assert.same({ "NO_SESSION NO_TOKEN" }, seen)
      sdk.log_in(dev, client)
      assert.is_true(client:logout())
      assert.is_true(client:logout())
      assert.equal(1, revocations())
      assert.equal(3, #seen)
    end)

    it("of a session that the server has ended already", function()
      local client, seen = logged_in()
      dev:revoke {}
      assert.is_true(client:logout())
      gone(client, seen, "LOGOUT")
    end)

    it("ends the stored session, though another client has refreshed it meanwhile", function()
      local client, seen = logged_in()
      local other = open()
      assert.is_true(other:refresh_access_token())
      assert.is_true(client:logout())
      gone(client, seen, "LOGOUT")
      assert.equal(0, alive())
    end)

    it("finds that another client has ended it", function()
      local client, seen = logged_in()
      assert.is_true(open():logout())
      assert.is_true(client:logout())
      assert.equal(1, revocations())
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(3, #seen)
    end)

    it("keeps the session when the server cannot be told, unless forced", function()
      local client, seen = logged_in()
      dev:fault { target = "revoke", kind = "status", status = 503 }
      local ok, err = client:logout()
      assert.is_nil(ok)
      assert.equal("server", err.code)
      assert.is_true(err.retryable)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(200, sdk.hello(dev, client))
      dev:fault { target = "revoke", kind = "reset" }
      assert.is_true(client:logout { force = true })
      gone(client, seen, "LOGOUT")
      assert.equal(1, alive()) -- the server never heard of it
    end)

    it("by force, when there is no server at all", function()
      logged_in():close()
      local client, seen = open()
      dev:fault { target = "discovery", kind = "reset", times = 10 }
      local ok, err = client:logout()
      assert.is_nil(ok)
      assert.equal("network", err.code)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.is_true(client:logout { force = true })
      gone(client, seen, "LOGOUT")
      assert.equal(0, revocations())
    end)

    it("keeps the session when the record cannot be removed", function()
      local client = logged_in()
      local test = require("authgear.file").test
      test.fault { op = "unlink", nth = 1, times = 100, errno = "EIO" }
      local ok, err = client:logout()
      test.fault()
      assert.is_nil(ok)
      assert.equal("storage", err.code)
      assert.is_true(client:logout())
      assert.is_nil(record())
      assert.equal("NO_SESSION", client:session_state())
    end)

    it("is followed by a new log-in", function()
      local client = logged_in()
      assert.is_true(client:logout())
      sdk.log_in(dev, client)
      assert.equal(200, sdk.hello(dev, client))
      assert.equal(1, alive())
    end)

    it("waits for another process's refresh, and then ends what that brought", function()
      local client = logged_in()
      dev:fault { target = "token", kind = "slow", when = "after", ms = 400 }
      local child = files.child(([[
        local authgear = require "authgear"
        local client = assert(authgear.new {
          endpoint = %q, client_id = "rotating", storage = authgear.storage.file { dir = %q },
        })
        say(tostring(client:refresh_access_token()))
        hear()
      ]]):format(dev.endpoint, dir))
      sdk.poll("the refresh", function()
        return dev:log({ target = "token", event = "rotated" })[1]
      end)
      assert.is_true(client:logout())
      assert.equal("true", child:hear())
      child:finish()
      assert.is_nil(record())
      assert.equal(0, alive())
    end)
  end)

  describe("with clear_session_state", function()
    it("ends it here, and says nothing to the server", function()
      local client, seen = logged_in()
      assert.is_true(client:clear_session_state())
      gone(client, seen, "CLEAR")
      assert.equal(0, revocations())
      assert.equal(1, alive())
      assert.is_true(client:clear_session_state())
      assert.equal("NO_SESSION CLEAR", seen[#seen])
      assert.equal(3, #seen)
    end)

    it("needs no server", function()
      logged_in()
      local client, seen = open()
      dev:reset()
      dev:fault { kind = "reset", times = 100 }
      assert.is_true(client:clear_session_state())
      gone(client, seen, "CLEAR")
      assert.equal(0, #dev:log { event = "received" })
    end)

    it("by force, over a lock that another holds", function()
      logged_in()
      local holder = assert(require("authgear.file").open { dir = dir, name = "default" })
      assert.is_true(holder:try_lock())
      local client = open { lock_timeout = 0.2 }
      for _, call in ipairs { "clear_session_state", "logout" } do
        local ok, err = client[call](client)
        assert.is_nil(ok)
        assert.equal("lock_timeout", err.code)
        assert.is_true(err.retryable)
        assert.equal("AUTHENTICATED", client:session_state())
      end
      assert.is_true(client:clear_session_state { force = true })
      assert.equal("NO_SESSION", client:session_state())
      assert.is_nil(record())
      holder:close()
    end)
  end)
end)
