-- Other OpenID providers: one that has never heard of Authgear, with its own defaults. What is standard works; what is Authgear's
-- own says that it is not there. (OpenID Connect Core, Discovery, RP-Initiated Logout, RFC 9207)
local authgear = require "authgear"
local http = require "spec.support.http"
local json = require "dkjson"
local refused = require "spec.support.refused"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local SCOPES = { "openid", "offline_access" }

describe("a provider that knows nothing of Authgear", function()
  local provider, storage, client, seen

  setup(function()
    provider = server.start { plain = true }
  end)

  teardown(function()
    provider:stop()
  end)

  local function open(more)
    return sdk.client({}, with({ endpoint = provider.issuer, storage = storage, scopes = SCOPES, retry = false }, more))
  end

  before_each(function()
    storage = authgear.storage.memory()
    client, seen = open()
  end)

  -- What a person who logs in and consents is redirected to.
  local function visit(url)
    local answer = assert(http.request { url = provider.browser .. "/?" .. http.form { url = url } })
    return json.decode(answer.body)
  end

  local function start(one, more)
    return assert(one:start_authentication(with({ redirect_uri = sdk.REDIRECT_URI, prompt = "consent" }, more)))
  end

  local function log_in(one, more)
    return one:finish_authentication(visit(start(one, more).url).location)
  end

  it("logs in, and what it knows of the user comes back", function()
    local info = assert(log_in(client))
    assert.equal("somebody", info.sub)
    assert.is_nil(info.partial)
    assert.equal("AUTHENTICATED", client:session_state())
    assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen)
    assert.equal("somebody", assert(client:fetch_user_info()).sub)
    assert.is_string(client:id_token_hint())
    assert.is_false(client:can_reauthenticate())
    assert.equal("somebody", assert(client:fetch(provider.issuer .. "/me")):json().sub)
  end)

  it("checks its ID tokens' signatures, where that is asked for", function()
    client = open { verify_id_token = true }
    assert.equal("somebody", assert(log_in(client)).sub)
    assert.is_true(client:refresh_access_token())
  end)

  it("announces the issuer in callbacks, so one without it is refused", function()
    local location = visit(start(client).url).location
    assert.matches("[?&]iss=", location)
    refused("issuer_mismatch", client:finish_authentication((location:gsub("&?iss=[^&]*", ""))))
    location = visit(start(client).url).location
    refused("issuer_mismatch", client:finish_authentication((location:gsub("iss=[^&]*", "iss=http%%3A%%2F%%2F127.0.0.1"))))
    assert(client:finish_authentication(visit(start(client).url).location))
  end)

  it("refreshes, rotates, and ends the session by its verdict", function()
    assert(log_in(client))
    local first = sdk.refresh_token(sdk.record(storage))
    for _ = 1, 3 do
      assert.is_true(client:refresh_access_token())
    end
    local record = sdk.record(storage)
    assert.not_equal(first, sdk.refresh_token(record))
    assert.equal("somebody", assert(client:fetch_user_info()).sub)
    -- The first one, seen again, makes this provider revoke all of them.
    storage.open("default"):set((record:gsub('("refresh_token":")[^"]+', function(key)
      return key .. first
    end)))
    client, seen = open()
    assert.is_true(client:refresh_access_token())
    assert.equal("NO_SESSION", client:session_state())
    assert.equal("NO_SESSION INVALID", seen[#seen])
  end)

  it("lets a confidential client in with what it takes by default (client_secret_basic)", function()
    client = open { client_id = "web", client_secret = "a secret: &+%" }
    assert.equal("somebody", assert(log_in(client)).sub)
    assert.is_true(client:refresh_access_token())
    client = open { client_id = "web", client_secret = "another", name = "other" }
    assert.equal("invalid_client", refused("oauth", log_in(client)).oauth_error)
  end)

  it("gives no refresh token where none was agreed to, which is said", function()
    refused("invalid_response", log_in(client, { prompt = "login" }))
    client = open { scopes = { "openid" } }
    refused("invalid_response", log_in(client))
    assert.equal("NO_SESSION", client:session_state())
  end)

  it("is not asked for what it does not know, and what is asked all the same says so", function()
    assert(log_in(client))
    refused("cannot_reauthenticate", client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
    refused("oauth", client:refresh_id_token())
    refused("no_device_secret", client:make_pre_authenticated_url { web_application_client_id = "x", web_application_uri = "https://x" })
    local _, err = client:make_page_url "settings"
    assert.is_string(err.code)
    assert.equal("AUTHENTICATED", client:session_state())
    assert.is_true(client:refresh_access_token())
  end)

  it("has a page that ends the browser's session, and is told whose and where to go", function()
    assert(log_in(client))
    local hint = client:id_token_hint()
    local url = assert(client:end_session_url { post_logout_redirect_uri = "com.example.app:/out", state = "a b" })
    local query = http.query(url)
    assert.equal(provider.issuer .. "/session/end", url:match "^[^?]*")
    assert.equal(hint, query.id_token_hint)
    assert.equal("native", query.client_id)
    assert.equal("com.example.app:/out", query.post_logout_redirect_uri)
    assert.equal("a b", query.state)
    assert.equal(200, assert(http.request { url = url }).status)
    assert.equal("AUTHENTICATED", client:session_state())
    url = assert(client:end_session_url())
    assert.is_nil(http.query(url).post_logout_redirect_uri)
    assert.is_nil(http.query(url).state)
    assert.equal(200, assert(http.request { url = url }).status)
    -- It has no revocation endpoint: logging out is the local end.
    assert.is_true(client:logout())
    assert.equal("NO_SESSION LOGOUT", seen[#seen])
    url = assert(client:end_session_url())
    assert.is_nil(http.query(url).id_token_hint)
    -- Another's redirect is refused there.
    url = assert(client:end_session_url { post_logout_redirect_uri = "https://elsewhere" })
    assert.equal(400, assert(http.request { url = url }).status)
  end)

  it("says that there is no such page where the metadata name none", function()
    local options = { storage = storage, transport = function(request)
      local body = request.url:find("openid-configuration", 1, true) and json.encode {
        issuer = "https://bare.example", authorization_endpoint = "https://bare.example/a", token_endpoint = "https://bare.example/t",
      }
      return { status = body and 200 or 404, headers = {}, body = body or "" }
    end }
    options.endpoint = "https://bare.example"
    client = assert(sdk.client({}, options))
    refused("discovery", client:end_session_url())
  end)
end)
