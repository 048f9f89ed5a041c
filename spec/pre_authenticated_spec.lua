-- URLs that open another application, logged in as here: an exchange that costs the device secret, of which it brings the
-- next. (RFC 8693, OpenID Connect Native SSO.) And the signatures of ID tokens, for clients that want them checked.
local authgear = require "authgear"
local file = require "authgear.file"
local files = require "spec.support.files"
local http = require "spec.support.http"
local refused = require "spec.support.refused"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local GRANT = "urn:ietf:params:oauth:grant-type:token-exchange"
local WEB = { web_application_client_id = "webapp", web_application_uri = sdk.REDIRECT_URI }

describe("a URL that opens another application", function()
  local dev, dir, client

  local function open(more)
    local options = with({ storage = authgear.storage.file { dir = dir }, pre_authenticated_url_enabled = true }, more)
    return (assert(sdk.client(dev, options)))
  end

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dir = sdk.temp_dir()
    client = open()
    sdk.log_in(dev, client)
  end)

  after_each(function()
    file.test.fault()
    client:close()
    files.remove(dir)
  end)

  local function record()
    return files.read(sdk.record_path(dir))
  end

  local function secret()
    return record():match '"device_secret":"([^"]+)"'
  end

  local function exchanges()
    return dev:token_count(GRANT, "native").ok
  end

  it("is asked for with the scopes that bring a device secret", function()
    local query = http.query(assert(client:start_authentication { redirect_uri = sdk.REDIRECT_URI }).url)
    assert.equal("openid offline_access https://authgear.com/scopes/full-access device_sso "
      .. "https://authgear.com/scopes/pre-authenticated-url", query.scope)
    assert.is_string(secret())
  end)

  it("carries a token that serves once, for the other application and no other", function()
    local url = assert(client:make_pre_authenticated_url {
      web_application_client_id = "webapp", web_application_uri = sdk.REDIRECT_URI, state = "its own",
    })
    local query = http.query(url)
    assert.equal(dev.endpoint .. "/oauth2/authorize", url:match "^[^?]*")
    assert.equal("urn:authgear:params:oauth:response-type:pre-authenticated-url token", query.response_type)
    assert.equal("cookie", query.response_mode)
    assert.equal("none", query.prompt)
    assert.equal("webapp", query.client_id)
    assert.equal(sdk.REDIRECT_URI, query.redirect_uri)
    assert.equal("its own", query.state)
    assert.equal(client:id_token_hint(), query.id_token_hint)
    assert.is_nil(query.scope)
    assert.is_nil(query.x_sso_enabled)
    assert.equal(sdk.REDIRECT_URI, dev:visit(url).location)
    assert.equal(400, dev:visit(url).status)
  end)

  it("costs the device secret, and the next is stored before it is given out", function()
    local first, before = secret(), record()
    local access, refresh = client:access_token(), sdk.refresh_token(before)
    for i = 1, 3 do
      assert(client:make_pre_authenticated_url(WEB))
      assert.equal(i, exchanges())
    end
    assert.not_equal(first, secret())
    assert.equal(access, client:access_token())
    assert.equal(refresh, sdk.refresh_token(record()))
    assert.equal(client:id_token_hint(), record():match '"id_token":"([^"]+)"')
    client:close()
    client = open()
    assert(client:make_pre_authenticated_url(WEB))
    assert.is_true(client:refresh_access_token())
    assert(client:make_pre_authenticated_url(WEB)) -- the refresh has not lost it
  end)

  it("is made by two programs that share a session, one after the other", function()
    local other = open()
    for _ = 1, 3 do
      assert(client:make_pre_authenticated_url(WEB))
      assert(other:make_pre_authenticated_url(WEB))
    end
    assert.equal(6, exchanges())
    other:close()
  end)

  it("is not given out, and the next secret not lost, when the disk is full", function()
    local before, counted = record(), exchanges()
    file.test.fault { op = "write", nth = 1, times = 1000, errno = "ENOSPC" }
    refused("storage", client:make_pre_authenticated_url(WEB))
    assert.equal(before, record())
    assert.equal("AUTHENTICATED", client:session_state())
    file.test.fault()
    assert.is_true(client:refresh_access_token_if_needed()) -- there is room again: what was kept is stored first
    assert.not_equal(before, record())
    assert.equal(0, sdk.refreshes(dev))
    assert(client:make_pre_authenticated_url(WEB))
    assert.equal(counted + 2, exchanges())
  end)

  it("is refused where there is no session, or none that was begun for it", function()
    client:clear_session_state()
    refused("no_session", client:make_pre_authenticated_url(WEB))
    client = open { pre_authenticated_url_enabled = false }
    sdk.log_in(dev, client)
    refused("no_device_secret", client:make_pre_authenticated_url(WEB))
    assert.equal(0, exchanges())
  end)

  it("costs nothing when it could not be used", function()
    local before = record()
    local err = refused("invalid_url",
      client:make_pre_authenticated_url { web_application_client_id = "webapp", web_application_uri = "/x" })
    assert.equal("the web application's URI is not an absolute URI", err.message)
    assert.equal(0, exchanges())
    assert.equal(before, record())
  end)

  it("is not made of an answer that is not as it should be, and the session goes on", function()
    local null = require("dkjson").null
    local other = dev:session { user = "another" }
    for _, case in ipairs {
      { "invalid_response", { device_secret = null } }, { "invalid_response", { id_token = null } },
      { "invalid_response", { access_token = null } }, { "invalid_response", { token_type = "N_A" } },
      { "invalid_response", { device_secret = 7 } }, { "id_token", { id_token = "a.b.c" } },
      { "user_mismatch", { id_token = other.id_token } },
    } do
      local before = record()
      dev:fault { target = "token", kind = "patch", patch = case[2] }
      refused(case[1], client:make_pre_authenticated_url(WEB))
      assert.equal(before, record())
      assert.is_true(client:refresh_access_token())
      sdk.log_in(dev, client) -- the secret was spent
      assert(client:make_pre_authenticated_url(WEB)) -- the twin
    end
  end)

  it("that the line cuts costs at most the secret, never the session", function()
    for _, when in ipairs { "before", "after" } do
      local before = record()
      dev:fault { target = "token", kind = "reset", when = when }
      refused("network", client:make_pre_authenticated_url(WEB))
      assert.equal(before, record())
      client:close()
      client = open() -- the next start
      assert.equal("AUTHENTICATED", client:session_state())
      assert.is_true(client:refresh_access_token())
      local url, err = client:make_pre_authenticated_url(WEB)
      assert.is_true(when == "before" and url ~= nil or when == "after" and err.oauth_error == "invalid_grant")
    end
    sdk.log_in(dev, client)
    assert(client:make_pre_authenticated_url(WEB))
  end)

  it("needs a session that lives", function()
    dev:revoke {}
    sdk.refreshes(dev)
    refused("oauth", client:make_pre_authenticated_url(WEB)) -- the exchange's refusal is not the session's end
    assert.equal("AUTHENTICATED", client:session_state())
    assert.is_true(client:refresh_access_token())
    assert.equal("NO_SESSION", client:session_state())
    refused("no_session", client:make_pre_authenticated_url(WEB))
  end)
end)

describe("a client that checks the signatures of ID tokens", function()
  local dev, storage

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    storage = authgear.storage.memory()
  end)

  local function open(verify, more)
    return (assert(sdk.client(dev, with({
      storage = storage, verify_id_token = verify, pre_authenticated_url_enabled = true, retry = false,
    }, more))))
  end

  local function jwks_requests()
    local target = dev:counters().jwks
    return target and target.requests or 0
  end

  -- The same token with another signature.
  local function spoil(token)
    return (token:gsub("%.([^.]*)$", function(signature)
      return "." .. signature:reverse()
    end))
  end

  it("takes a good one, and fetches the keys once", function()
    local client = open(true)
    sdk.log_in(dev, client)
    assert.equal(1, jwks_requests())
    assert.is_true(client:refresh_id_token())
    assert.is_true(client:refresh_access_token())
    assert(client:make_pre_authenticated_url(WEB))
    local request = assert(client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
    assert(client:finish_reauthentication(dev:visit(request.url).location))
    assert.equal(1, jwks_requests())
    open(false)
    assert.equal(1, jwks_requests())
  end)

  it("refuses one that is not, in each flow, where one that does not check takes it", function()
    for _, verify in ipairs { true, false } do
      local client = open(verify)
      sdk.log_in(dev, client)
      local held = client:id_token_hint()
      dev:fault { target = "token", kind = "patch", patch = { id_token = spoil(held) } }
      local ok, err = client:refresh_id_token()
      assert.equal(verify and "id_token" or nil, err and err.code)
      assert.equal(not verify or nil, ok)
      assert.equal(verify, held == client:id_token_hint())
      dev:fault { target = "token", kind = "patch", patch = { id_token = spoil(held) } }
      assert.is_true(client:refresh_access_token()) -- costs the ID token at most
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(verify, held == client:id_token_hint())
      dev:fault { target = "token", kind = "patch", patch = { id_token = spoil(held) } }
      local url
      url, err = client:make_pre_authenticated_url(WEB)
      assert.equal(verify and "id_token" or nil, err and err.code)
      assert.equal(not verify, url ~= nil)
      assert.is_true(client:clear_session_state())
    end
  end)

  it("lets nobody in while the keys cannot be had", function()
    for _, kind in ipairs { "status", "garbage", "empty", "reset" } do
      local client = open(true)
      local url = sdk.callback(dev, client)
      dev:fault { target = "jwks", kind = kind, times = 50 }
      local info, err = client:finish_authentication(url)
      assert.is_nil(info)
      assert.is_string(err.code)
      assert.equal("NO_SESSION", client:session_state())
      dev:control("/faults", nil, "DELETE")
      sdk.log_in(dev, client)
      client:clear_session_state()
    end
  end)

  it("goes on with a session while the keys cannot be had, without its new ID token", function()
    sdk.log_in(dev, open(false))
    local client = open(true)
    local held = client:id_token_hint()
    dev:fault { target = "jwks", kind = "status", times = 5 }
    assert.is_true(client:refresh_access_token())
    assert.equal(held, client:id_token_hint())
    dev:control("/faults", nil, "DELETE")
    assert.is_true(client:refresh_access_token())
    assert.not_equal(held, client:id_token_hint())
  end)
end)
