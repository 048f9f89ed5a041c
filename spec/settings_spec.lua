-- The server's pages as who is logged in here: settings actions, which come back, and pages, which do not.
local authgear = require "authgear"
local http = require "spec.support.http"
local refused = require "spec.support.refused"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local ACTIONS = {
  "change_password", "delete_account", "add_email", "add_phone", "add_username", "change_email", "change_phone", "change_username",
  "link_oauth", "unlink_oauth",
}

local function options_of(action)
  local options = { redirect_uri = sdk.REDIRECT_URI }
  if action:find "oauth" then
    options.oauth_provider_alias = "google"
  elseif action:find "change_[^p]" or action:find "add_" then
    options.login_id = "a+b@example.com"
  end
  return options
end

describe("a logged-in client", function()
  local dev, storage, client, seen, user
  local serial = 0

  local function open(more)
    return sdk.client(dev, with({ storage = storage }, more))
  end

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    serial = serial + 1
    user = "settings-" .. serial
    dev:login { user = user }
    storage = authgear.storage.memory()
    client, seen = open()
    sdk.log_in(dev, client)
  end)

  local function done()
    return dev:control("/users", { name = user }).actions
  end

  local function callback(action)
    local request = assert(client:start_settings_action(action, options_of(action)))
    return dev:visit(request.url).location, request
  end

  local function no_ui()
    error "the browser must not open"
  end

  describe("and a settings action", function()
    it("says which, as whom, and for what", function()
      local hint = client:id_token_hint()
      for _, action in ipairs(ACTIONS) do
        local options = options_of(action)
        local query = http.query(assert(client:start_settings_action(action, options)).url)
        assert.equal("urn:authgear:params:oauth:response-type:settings-action", query.response_type)
        assert.equal(action, query.x_settings_action)
        assert.equal(options.login_id and "q_login_id=a%2Bb%40example.com", query.x_settings_action_query)
        assert.equal(options.oauth_provider_alias, query.x_oauth_provider_alias)
        assert.equal(hint, query.id_token_hint)
        assert.equal("openid https://authgear.com/scopes/full-access", query.scope)
        assert.matches("^https://authgear%.com/login_hint%?type=app_session_token&app_session_token=%w+$", query.login_hint)
        assert.equal("S256", query.code_challenge_method)
      end
    end)

    it("comes back, whichever it is, and the session goes on", function()
      local before = sdk.record(storage)
      for _, action in ipairs(ACTIONS) do
        if action ~= "delete_account" then
          local options = options_of(action)
          options.ui = function(request)
            return dev:visit(request.url).location
          end
          assert.is_true(client[action](client, options))
          local last = done()
          last = last[#last]
          assert.equal(action, last.action)
          assert.equal(options.login_id and "q_login_id=a%2Bb%40example.com", last.query)
          assert.equal(options.oauth_provider_alias, last.alias)
        end
      end
      assert.equal(before, sdk.record(storage))
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(2, #seen)
    end)

    it("ends the session where it is the account's deletion", function()
      local url = callback "delete_account"
      assert.equal("AUTHENTICATED", client:session_state())
      assert.is_true(client:finish_settings_action(url))
      assert.equal("NO_SESSION", client:session_state())
      assert.equal("NO_SESSION CLEAR", seen[#seen])
      assert.is_nil(sdk.record(storage))
      assert.is_nil(client:access_token())
    end)

    it("leaves the session of another, who has logged in meanwhile, where it is the deletion of an account", function()
      local url = callback "delete_account"
      dev:login { user = user .. "-another" }
      local other = open()
      sdk.log_in(dev, other)
      assert.is_true(client:finish_settings_action(url))
      assert.equal("AUTHENTICATED", other:session_state())
      assert.equal(200, sdk.hello(dev, other))
    end)

    it("that the user does not want leaves everything as it is", function()
      for _, action in ipairs { "change_password", "delete_account" } do
        dev:login { error = "access_denied" }
        local err = refused("oauth", client:finish_settings_action((callback(action))))
        assert.equal("access_denied", err.oauth_error)
        assert.equal("AUTHENTICATED", client:session_state())
      end
      assert.equal(0, #done())
    end)

    it("needs somebody who is logged in, also by what the server says", function()
      dev:revoke {}
      refused("session_revoked", client:change_password { redirect_uri = sdk.REDIRECT_URI, ui = no_ui })
      assert.equal("NO_SESSION", client:session_state())
      refused("no_session", client:change_password { redirect_uri = sdk.REDIRECT_URI, ui = no_ui })
      refused("no_session", client:start_settings_action("add_email", { redirect_uri = sdk.REDIRECT_URI }))
    end)

    it("takes the refresh token that another process has brought meanwhile", function()
      storage = authgear.storage.memory()
      client = open { client_id = "rotating" }
      sdk.log_in(dev, client)
      local other = open { client_id = "rotating" }
      assert.is_true(other:refresh_access_token())
      local request = assert(client:start_settings_action("change_password", { redirect_uri = sdk.REDIRECT_URI }))
      assert.is_true(client:finish_settings_action(dev:visit(request.url).location))
    end)

    it("cut on the way is over, and leaves a session or none, never half a one", function()
      for _, action in ipairs { "change_password", "delete_account" } do
        for _, when in ipairs { "before", "after" } do
          client:clear_session_state()
          dev:login { user = user .. action .. when }
          sdk.log_in(dev, client)
          local url = callback(action)
          dev:fault { target = "token", kind = "reset", when = when }
          refused("network", client:finish_settings_action(url))
          refused("no_login", client:finish_settings_action(url))
          client = open() -- the next start
          assert.equal("AUTHENTICATED", client:session_state())
          assert.is_true(client:refresh_access_token())
          local gone = action == "delete_account"
          assert.equal(gone and "NO_SESSION" or "AUTHENTICATED", client:session_state())
        end
      end
    end)

    it("asks again for what it needs when that failed in passing, and says so when it did not", function()
      dev:fault { target = "app_session_token", kind = "status", status = 503 }
      assert(client:start_settings_action("change_password", { redirect_uri = sdk.REDIRECT_URI }))
      client = open { retry = false }
      for kind, code in pairs { status = "server", reset = "network", garbage = "invalid_response", empty = "invalid_response" } do
        dev:fault { target = "app_session_token", kind = kind, times = 50 } -- curl itself tries again what a kept connection lost
        refused(code, client:start_settings_action("change_password", { redirect_uri = sdk.REDIRECT_URI }))
        assert.equal("AUTHENTICATED", client:session_state())
        dev:control("/faults", nil, "DELETE")
      end
    end)

    it("is finished once, and as what it was started", function()
      local url = callback "change_password"
      refused("state_mismatch", client:finish_authentication(url))
      refused("state_mismatch", client:finish_reauthentication(url))
      assert.is_true(client:finish_settings_action(url))
      refused("no_login", client:finish_settings_action(url))
    end)

    it("raises what is wrong use", function()
      local function raises(pattern, ...)
        local ok, raised = pcall(...)
        assert.is_false(ok)
        assert.matches(pattern, tostring(raised))
      end
      raises("redirect_uri", client.change_password, client, {})
      raises("oauth_provider_alias", client.link_oauth, client, { redirect_uri = sdk.REDIRECT_URI })
      raises("unknown option 'login_id'", client.change_password, client, { login_id = "x", redirect_uri = sdk.REDIRECT_URI })
      raises("one of \"add_email\"", client.start_settings_action, client, "rename", { redirect_uri = sdk.REDIRECT_URI })
      raises("one of \"identities\", \"settings\"", client.open, client, "/settings")
    end)
  end)

  describe("and a page", function()
    it("opens logged in, by name or by URL", function()
      local shown
      local function ui(request)
        shown = request.url
      end
      for page, path in pairs { settings = "/settings", identities = "/settings/identities" } do
        assert.is_true(client:open(page, { ui = ui }))
        local query = http.query(shown)
        assert.equal("none", query.response_type)
        assert.equal("none", query.prompt)
        assert.equal(dev.endpoint .. path, query.redirect_uri)
        assert.is_nil(query.state)
        assert.is_nil(query.id_token_hint)
        local last = dev:visit(shown)
        assert.equal(200, last.status)
        assert.equal("settings of " .. user .. "\n", last.body)
        assert.equal(400, dev:visit(shown).status) -- once
      end
      assert.is_true(client:open_url(dev.endpoint .. "/settings/mfa", { ui = ui, ui_locales = "fr", color_scheme = "dark" }))
      assert.equal("fr", http.query(shown).ui_locales)
      assert.equal("dark", http.query(shown).x_color_scheme)
      assert.equal("settings of " .. user .. "\n", dev:visit(shown).body)
      shown = assert(client:make_page_url "settings")
      assert.equal("settings of " .. user .. "\n", dev:visit(shown).body)
      shown = assert(client:make_page_url(dev.endpoint .. "/settings/sessions"))
      assert.equal("settings of " .. user .. "\n", dev:visit(shown).body)
    end)

    it("says why it was not shown, without the token that the URL has", function()
      for _, ui in ipairs {
        function() return false end,
        function() return nil, "no window" end,
        function(request) error("cannot open " .. request.url) end,
      } do
        local err = refused("user_code", client:open("settings", { ui = ui }))
        assert.falsy(tostring(err):find("app_session_token", 1, true))
      end
    end)

    it("that is none is called what the caller calls it", function()
      for page, what in pairs {
        bogus = "the page is neither known by name nor an absolute URL",
        ["https://x.test/a b"] = "the page's URL holds a character that may not be there",
        ["https://x.test/" .. ("a"):rep(2048)] = "the page's URL is longer than 2048 bytes",
      } do
        assert.equal(what, refused("invalid_url", client:make_page_url(page)).message)
        assert.equal(what, refused("invalid_url", client:open_url(page, { ui = no_ui })).message)
      end
      local err = refused("invalid_url", client:start_authentication { redirect_uri = "bogus" })
      assert.equal("the redirect URI is not an absolute URI", err.message)
    end)

    it("is not made without a session", function()
      client:clear_session_state()
      refused("no_session", client:open("settings", { ui = no_ui }))
      refused("no_session", client:open_url(dev.endpoint .. "/x", { ui = no_ui }))
      refused("no_session", client:make_page_url "settings")
    end)
  end)
end)
