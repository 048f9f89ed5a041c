-- Who the user is, and that it is still them: reauthentication, the ID token and what it says.
-- (OpenID Connect Core sections 2, 3.1.2.1, 3.1.3.7)
local authgear = require "authgear"
local http = require "spec.support.http"
local refused = require "spec.support.refused"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

describe("a logged-in client", function()
  local dev, storage, client, seen

  local function open(more)
    return sdk.client(dev, with({ storage = storage }, more))
  end

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dev:control("/users", { name = "user", can_reauthenticate = true })
    storage = authgear.storage.memory()
    client, seen = open()
    sdk.log_in(dev, client)
  end)

  local function set_can_reauthenticate(yes)
    dev:control("/users", { name = "user", can_reauthenticate = yes })
  end

  -- Reauthenticates in halves: the callback URL.
  local function callback(options)
    local request = assert(client:start_reauthentication(with({ redirect_uri = sdk.REDIRECT_URI }, options)))
    return dev:visit(request.url).location, request
  end

  describe("and its ID token", function()
    it("is what the session has, and says when and how the user logged in", function()
      local hint = client:id_token_hint()
      assert.equal(hint, sdk.record(storage):match '"id_token":"([^"]+)"')
      assert.is_true(client:can_reauthenticate())
      assert.is_true(math.abs(client:auth_time() - os.time()) < 120)
      assert.equal(hint, open():id_token_hint())
    end)

    it("is nobody's without a session", function()
      client:clear_session_state()
      for _, one in ipairs { client, require("authgear.client").new() } do
        assert.is_nil(one:id_token_hint())
        assert.is_nil(one:auth_time())
        assert.is_false(one:can_reauthenticate())
      end
      refused("no_session", client:refresh_id_token())
      refused("not_configured", require("authgear.client").new():refresh_id_token())
    end)

    it("is refreshed, and stored", function()
      local access = client:access_token()
      set_can_reauthenticate(false)
      assert.is_true(client:can_reauthenticate())
      assert.is_true(client:refresh_id_token())
      assert.is_false(client:can_reauthenticate())
      assert.is_false(open():can_reauthenticate())
      assert.equal(access, client:access_token())
      assert.equal(0, sdk.refreshes(dev))
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen)
    end)

    it("is refreshed with a fresh access token, once the old one is refused or too old", function()
      dev:expire {}
      assert.is_true(client:refresh_id_token())
      assert.equal(1, sdk.refreshes(dev))
      sdk.grow_old(storage)
      client = open()
      assert.is_true(client:refresh_id_token())
      assert.equal(2, sdk.refreshes(dev))
    end)

    it("is not refreshed by a session that was revoked, which is over then", function()
      dev:revoke {}
      refused("session_revoked", client:refresh_id_token())
      assert.equal("NO_SESSION", client:session_state())
      assert.equal("NO_SESSION INVALID", seen[#seen])
    end)

    it("stays as it was when what comes is of another user, or none at all", function()
      dev:session { user = "another" }
      local other = dev:session({ user = "another" }).id_token
      local before = sdk.record(storage)
      for code, token in pairs { user_mismatch = other, id_token = "a.b.c", invalid_response = false } do
        dev:fault { target = "token", kind = "patch", patch = { id_token = token or require("dkjson").null } }
        refused(code, client:refresh_id_token())
        assert.equal(before, sdk.record(storage))
      end
      assert.is_true(client:refresh_id_token())
      assert.not_equal(before, sdk.record(storage))
    end)

    it("stays as it was when the line is cut, before or after the server has acted", function()
      local before = sdk.record(storage)
      for _, when in ipairs { "before", "after" } do
        dev:fault { target = "token", kind = "reset", when = when, times = 50 }
        refused("network", client:refresh_id_token())
        assert.equal("AUTHENTICATED", client:session_state())
        assert.equal(before, sdk.record(storage))
        dev:control("/faults", nil, "DELETE")
      end
      assert.is_true(client:refresh_id_token())
    end)
  end)

  describe("and a reauthentication", function()
    it("asks for the same user anew, and for no new session", function()
      local query = http.query(assert(client:start_reauthentication {
        redirect_uri = sdk.REDIRECT_URI, ui_locales = "fr", color_scheme = "dark", x_state = "mine",
        authentication_flow_group = "group", oauth_provider_alias = "google",
      }).url)
      assert.equal("code", query.response_type)
      assert.equal("openid https://authgear.com/scopes/full-access", query.scope)
      assert.equal(client:id_token_hint(), query.id_token_hint)
      assert.equal("0", query.max_age)
      assert.equal(43, #query.nonce)
      assert.equal("fr", query.ui_locales)
      assert.equal("dark", query.x_color_scheme)
      assert.equal("mine", query.x_state)
      assert.equal("group", query.x_authentication_flow_group)
      assert.equal("google", query.x_oauth_provider_alias)
      query = http.query(assert(client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI, max_age = 600 }).url)
      assert.equal("600", query.max_age)
    end)

    it("keeps the session, with the new ID token, and tells nobody that somebody logged in", function()
      local access, refresh, hint = client:access_token(), sdk.refresh_token(sdk.record(storage)), client:id_token_hint()
      local info = assert(client:finish_reauthentication((callback())))
      assert.equal(assert(client:fetch_user_info()).sub, info.sub)
      assert.not_equal(hint, client:id_token_hint())
      assert.equal(access, client:access_token())
      assert.equal(refresh, sdk.refresh_token(sdk.record(storage)))
      assert.equal(client:id_token_hint(), open():id_token_hint())
      assert.equal(200, sdk.hello(dev, client))
      assert.is_true(client:refresh_access_token())
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen)
    end)

    it("goes through a user interface in one call", function()
      local shown
      local info = assert(client:reauthenticate {
        redirect_uri = sdk.REDIRECT_URI, ui = function(request)
          shown = request
          return dev:visit(request.url).location
        end,
      })
      assert.equal(assert(client:fetch_user_info()).sub, info.sub)
      assert.equal("0", http.query(shown.url).max_age)
      refused("cancelled", client:reauthenticate { redirect_uri = sdk.REDIRECT_URI, ui = function() end })
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("is refused where there is nothing to reauthenticate with, before the browser opens", function()
      set_can_reauthenticate(false)
      assert.is_true(client:refresh_id_token())
      local function ui()
        error "the browser must not open"
      end
      refused("cannot_reauthenticate", client:reauthenticate { redirect_uri = sdk.REDIRECT_URI, ui = ui })
      refused("cannot_reauthenticate", client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
      set_can_reauthenticate(true)
      assert.is_true(client:refresh_id_token())
      assert(client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
    end)

    it("is refused where nobody is logged in", function()
      client:clear_session_state()
      refused("no_session", client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
      refused("no_session", client:reauthenticate { redirect_uri = sdk.REDIRECT_URI, ui = function() error "no" end })
    end)

    it("is neither finished as a log-in, nor a log-in as a reauthentication", function()
      local url = callback()
      refused("state_mismatch", client:finish_authentication(url))
      refused("state_mismatch", client:finish_settings_action(url))
      assert(client:finish_reauthentication(url))
      refused("no_login", client:finish_reauthentication(url))
      url = sdk.callback(dev, client)
      refused("state_mismatch", client:finish_reauthentication(url))
      assert(client:finish_authentication(url))
    end)

    it("whose answer was meant for another request is refused", function()
      local before = sdk.record(storage)
      local url = callback()
      dev:fault { target = "token", kind = "patch", patch = { id_token = dev:session({}).id_token } }
      refused("id_token", client:finish_reauthentication(url))
      assert.equal(before, sdk.record(storage))
      assert(client:finish_reauthentication((callback())))
    end)

    it("that comes to a session that has ended meanwhile, or is another user's, stores nothing", function()
      local url = callback()
      client:clear_session_state()
      refused("no_session", client:finish_reauthentication(url))
      assert.is_nil(sdk.record(storage))
      sdk.log_in(dev, client)
      url = callback()
      dev:login { user = "another" }
      local other = open()
      local sub = sdk.log_in(dev, other).sub
      refused("user_mismatch", client:finish_reauthentication(url))
      assert.equal(sub, assert(other:fetch_user_info()).sub)
    end)

    it("that the line cuts leaves the session as it was, and can be had again", function()
      local before = sdk.record(storage)
      for _, when in ipairs { "before", "after" } do
        local url = callback()
        dev:fault { target = "token", kind = "reset", when = when }
        refused("network", client:finish_reauthentication(url))
        refused("no_login", client:finish_reauthentication(url))
        assert.equal(before, sdk.record(storage))
        assert.equal("AUTHENTICATED", client:session_state())
      end
      assert(client:finish_reauthentication((callback())))
      assert.is_true(client:refresh_access_token())
    end)
  end)
end)
