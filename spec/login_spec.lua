-- Logging in in two halves (start_authentication, finish_authentication), and the whole with a user interface of the
-- caller's. Each callback that is refused has a twin that differs in that one defect and is accepted.
-- (RFC 6749 section 4.1, RFC 7636, RFC 9207, RFC 8252, OpenID Connect Core)

local authgear = require "authgear"
local http = require "spec.support.http"
local files = require "spec.support.files"
local expect_refused = require "spec.support.refused"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

describe("a log-in", function()
  local dev, storage, client, seen

  local function open(more)
    return sdk.client(dev, with({ storage = storage }, more))
  end

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dev:login { user = "user" }
    storage = authgear.storage.memory()
    client, seen = open()
  end)

  local function start(options)
    return assert(client:start_authentication(with({ redirect_uri = sdk.REDIRECT_URI }, options)))
  end

  local function code_requests()
    return dev:token_count("authorization_code", "native").requests
  end

  -- And trying again does not help.
  local function refused(...)
    local err = expect_refused(...)
    assert.is_false(err.retryable)
    return err
  end

  describe("that is started", function()
    it("asks for a code with PKCE, a state and the scopes, and remembers nothing in the URL that is secret", function()
      local request = start()
      local query = http.query(request.url)
      assert.equal(dev.endpoint .. "/oauth2/authorize", request.url:match "^[^?]*")
      assert.equal("code", query.response_type)
      assert.equal("native", query.client_id)
      assert.equal(sdk.REDIRECT_URI, query.redirect_uri)
      assert.equal("S256", query.code_challenge_method)
      assert.equal(43, #query.code_challenge)
      assert.equal(request.state, query.state)
      assert.is_true(#query.state >= 32)
      assert.is_true(#query.nonce >= 32 and query.nonce ~= query.state)
      assert.equal("openid offline_access https://authgear.com/scopes/full-access", query.scope)
      assert.equal("false", query.x_sso_enabled)
      assert.is_nil(query.code_verifier)
      assert.equal(sdk.REDIRECT_URI, request.redirect_uri)
      local another = http.query(start().url)
      assert.not_equal(query.state, another.state)
      assert.not_equal(query.nonce, another.nonce)
      assert.not_equal(query.code_challenge, another.code_challenge)
    end)

    it("passes the caller's wishes on", function()
      local query = http.query(start {
        x_state = "a b&c", prompt = "login", login_hint = "me", ui_locales = "fr-CA en", color_scheme = "dark",
        page = "signup", oauth_provider_alias = "google", authentication_flow_group = "group",
      }.url)
      assert.equal("a b&c", query.x_state)
      assert.equal("login", query.prompt)
      assert.equal("me", query.login_hint)
      assert.equal("fr-CA en", query.ui_locales)
      assert.equal("dark", query.x_color_scheme)
      assert.equal("signup", query.x_page)
      assert.equal("google", query.x_oauth_provider_alias)
      assert.equal("group", query.x_authentication_flow_group)
    end)

    it("asks for what the client is configured for", function()
      client = open { sso_enabled = true, pre_authenticated_url_enabled = true }
      local query = http.query(start().url)
      assert.equal("true", query.x_sso_enabled)
      assert.is_nil(query.x_suppress_idp_session_cookie)
      assert.truthy(query.scope:find("device_sso", 1, true))
      client = open { scopes = { "openid", "offline_access", "x" } }
      assert.equal("openid offline_access x", http.query(start().url).scope)
    end)

    it("changes nothing", function()
      start()
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(1, #seen)
      assert.equal(0, code_requests())
    end)
  end)

  describe("that is finished", function()
    it("gives the user, stores the session, and tells the listeners once", function()
      local info = sdk.log_in(dev, client)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.same({ "NO_SESSION NO_TOKEN", "AUTHENTICATED AUTHENTICATED" }, seen)
      assert.is_true(#info.sub > 0)
      assert.is_boolean(info.is_verified)
      assert.is_false(info.is_anonymous)
      assert.is_nil(info.partial)
      assert.equal(info.sub, info.raw.sub)
      assert.equal(info.sub, assert(client:fetch_user_info()).sub)
      assert.equal(info.sub, assert(client:fetch(dev.app .. "/api/hello")):json().hello)
      assert.equal("AUTHENTICATED", open():session_state())
      assert.equal(1, code_requests())
    end)

    it("at each kind of redirect URI", function()
      for _, uri in ipairs {
        "http://127.0.0.1:8989/callback", "http://[::1]:8989/callback", "com.example.app://callback",
      } do
        local callback = sdk.callback(dev, client, { redirect_uri = uri })
        assert.equal(uri, callback:match "^[^?]*")
        assert(client:finish_authentication(callback))
      end
    end)

    it("by a confidential client", function()
      storage = authgear.storage.memory()
      client = open { client_id = "confidential", client_secret = "confidentialsecret" }
      sdk.log_in(dev, client)
      assert.equal(200, sdk.hello(dev, client))
      assert.is_true(client:refresh_access_token())
      assert.is_true(client:logout())
      storage = authgear.storage.memory()
      client = open { client_id = "confidential", client_secret = "wrong" }
      local callback = sdk.callback(dev, client)
      assert.is_string(refused("oauth", client:finish_authentication(callback)).oauth_error)
    end)

    it("replaces the session that was there, and only then", function()
      local first = sdk.log_in(dev, client)
      dev:login { user = "another" }
      local callback = sdk.callback(dev, client)
      assert.equal(first.sub, assert(client:fetch_user_info()).sub)
      local second = assert(client:finish_authentication(callback))
      assert.not_equal(first.sub, second.sub)
      assert.equal(second.sub, assert(client:fetch_user_info()).sub)
      assert.equal("AUTHENTICATED AUTHENTICATED", seen[#seen])
    end)

    it("twice at once, in any order", function()
      local one, two = sdk.callback(dev, client), sdk.callback(dev, client)
      dev:login { user = "third" }
      local three = sdk.callback(dev, client)
      assert(client:finish_authentication(two))
      assert(client:finish_authentication(one))
      refused("no_login", open():finish_authentication(three)) -- started by another client
      assert(client:finish_authentication(three))
      assert.equal(3, code_requests())
    end)

    it("once only", function()
      local callback = sdk.callback(dev, client)
      assert(client:finish_authentication(callback))
      refused("no_login", client:finish_authentication(callback))
      assert.equal(1, code_requests())
      assert.equal("AUTHENTICATED", client:session_state())
    end)

    it("and not by a client that started none", function()
      local callback = sdk.callback(dev, client)
      refused("no_login", open():finish_authentication(callback))
      assert(client:finish_authentication(callback))
    end)
  end)

  describe("whose callback is not as it should be", function()
    -- Each is refused, makes no token request, and leaves the session alone; undone, it is accepted.
    local cases = {
      { "has no code", "callback", function(url)
        return (url:gsub("code=[^&]*&?", ""))
      end },
      { "has an empty code", "callback", function(url)
        return (url:gsub("code=[^&]*", "code="))
      end },
      { "has two codes", "callback", function(url)
        return url .. "&code=other"
      end },
      { "has no state", "callback", function(url)
        return (url:gsub("&?state=[^&]*", ""))
      end },
      { "has another state", "state_mismatch", function(url)
        return (url:gsub("state=(.)", function(c)
          return "state=" .. (c == "A" and "B" or "A")
        end))
      end },
      { "has a state that goes on", "state_mismatch", function(url)
        return (url:gsub("(state=[^&]*)", "%1x"))
      end },
      { "has the beginning of the state", "state_mismatch", function(url)
        return (url:gsub("(state=[^&]*)[^&]", "%1"))
      end },
      { "has two states", "callback", function(url)
        return url .. "&state=other"
      end },
      { "has another issuer", "issuer_mismatch", function(url)
        return (url:gsub("iss=[^&]*", "iss=http%%3A%%2F%%2Felsewhere.example"))
      end, needs_issuer = true },
      { "lacks the issuer that is announced", "issuer_mismatch", function(url)
        return (url:gsub("&?iss=[^&]*", ""))
      end, needs_issuer = true },
      { "has two issuers", "callback", function(url)
        return url .. "&iss=http%3A%2F%2Felsewhere.example"
      end, needs_issuer = true },
      { "is at another path", "callback", function(url)
        return (url:gsub("/callback", "/callbacks"))
      end },
      { "is at another port", "callback", function(url)
        return (url:gsub(":8989", ":8990"))
      end },
      { "is at another host", "callback", function(url)
        return (url:gsub("127%.0%.0%.1", "localhost"))
      end },
      { "holds bytes that are no UTF-8", "callback", function(url)
        return (url:gsub("code=", "code=%%ff%%fe"))
      end },
      { "holds a broken escape", "callback", function(url)
        return (url:gsub("code=", "code=%%zz"))
      end },
      { "has its parameters in a fragment", "callback", function(url)
        return (url:gsub("%?", "#"))
      end },
      { "is no URL", "callback", function()
        return "not a url"
      end },
    }

    -- The server announces the issuer parameter (RFC 9207) or not; these cases need a callback that has it.
    local function with_issuer(url)
      if url:find("iss=", 1, true) then
        return url
      end
      return url .. "&iss=" .. dev.endpoint:gsub("[:/]", { [":"] = "%3A", ["/"] = "%2F" })
    end

    for _, case in ipairs(cases) do
      local what, code, spoil = case[1], case[2], case[3]
      it("(" .. what .. ") is refused", function()
        if case.needs_issuer then
          dev:fault { target = "discovery", kind = "patch",
            patch = { authorization_response_iss_parameter_supported = true } }
        end
        local good = sdk.callback(dev, client)
        if case.needs_issuer then
          good = with_issuer(good)
        end
        local bad = spoil(good)
        assert.not_equal(good, bad)
        local info, err = client:finish_authentication(bad)
        assert.is_nil(info)
        assert.equal(code, err.code, tostring(err))
        assert.is_false(err.retryable)
        assert.falsy(tostring(err):find(http.query(good).code:sub(1, 8), 1, true))
        assert.equal(0, code_requests())
        assert.equal("NO_SESSION", client:session_state())
        assert.equal(1, #seen)
        -- The twin. A login that was found and then refused is over; a stranger's callback disturbs none.
        local twin = good
        if code == "issuer_mismatch" or what:find "code" or what:find "is at" or what:find "bytes" or what:find "escape"
            or what:find "issuers" then
          twin = sdk.callback(dev, client)
          twin = case.needs_issuer and with_issuer(twin) or twin
        end
        assert(client:finish_authentication(twin))
        assert.equal("AUTHENTICATED", client:session_state())
      end)
    end

    it("(from a server that announces no issuer parameter) is checked for it whenever it is there", function()
      dev:fault { target = "discovery", kind = "patch",
        patch = { authorization_response_iss_parameter_supported = false } }
      local good = (sdk.callback(dev, client):gsub("&?iss=[^&]*", ""))
      refused("issuer_mismatch", client:finish_authentication(good .. "&iss=http%3A%2F%2Felsewhere.example"))
      good = (sdk.callback(dev, client):gsub("&?iss=[^&]*", ""))
      assert(client:finish_authentication(good))
    end)
  end)

  describe("that the server refuses", function()
    it("(access_denied) says so", function()
      dev:login { error = "access_denied", error_description = "not today" }
      local err = refused("oauth", client:finish_authentication((sdk.callback(dev, client))))
      assert.equal("access_denied", err.oauth_error)
      assert.equal("not today", err.oauth_error_description)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(0, code_requests())
      sdk.log_in(dev, client)
    end)

    it("(prompt=none without a session in the browser) says login_required", function()
      local err = refused("oauth", client:finish_authentication((sdk.callback(dev, client, { prompt = "none" }))))
      assert.equal("login_required", err.oauth_error)
    end)

    it("keeps the session that was there", function()
      sdk.log_in(dev, client)
      dev:login { error = "access_denied" }
      refused("oauth", client:finish_authentication((sdk.callback(dev, client))))
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(200, sdk.hello(dev, client))
    end)

    it("(a code that was used, or is not for this verifier) says invalid_grant, and ends no session", function()
      sdk.log_in(dev, client)
      local used = sdk.callback(dev, client)
      local spoilt = (sdk.callback(dev, client):gsub("code=[^&]*", "code=" .. http.query(used).code))
      local err = refused("oauth", client:finish_authentication(spoilt))
      assert.equal("invalid_grant", err.oauth_error)
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(200, sdk.hello(dev, client))
    end)
  end)

  describe("whose token answer is not as it should be", function()
    local function base64url(text)
      return (require("mime").b64(text):gsub("+", "-"):gsub("/", "_"):gsub("=", ""))
    end

    -- An ID token with these claims; the signature does not matter, since it comes straight from the server
    -- (OpenID Connect Core section 3.1.3.7, 6).
    local nonce
    local function id_token(claims)
      local json = require "dkjson"
      local all = { iss = dev.endpoint, sub = "somebody", aud = "native", exp = os.time() + 600, iat = os.time(), nonce = nonce }
      for key, value in pairs(claims) do
        all[key] = value ~= "none" and value or nil
      end
      return base64url '{"alg":"RS256"}' .. "." .. base64url(json.encode(all)) .. ".c2lnbmF0dXJl"
    end

    local cases = {
      { "has no ID token", "id_token", function()
        return { id_token = false }
      end },
      { "has an ID token of another issuer", "id_token", function()
        return { id_token = id_token { iss = "http://elsewhere.example" } }
      end },
      { "has an ID token for another client", "id_token", function()
        return { id_token = id_token { aud = "another" } }
      end },
      { "has an ID token for several, of which another is the authorized party", "id_token", function()
        return { id_token = id_token { aud = { "native", "another" }, azp = "another" } }
      end },
      { "has an ID token that has expired", "id_token", function()
        return { id_token = id_token { exp = os.time() - 3600 } }
      end },
      { "has an ID token without a subject", "id_token", function()
        return { id_token = id_token { sub = "none" } }
      end },
      { "has an ID token of another user than user info", "user_mismatch", function()
        return { id_token = id_token {} }
      end },
      { "has an ID token without the nonce", "id_token", function()
        return { id_token = id_token { nonce = "none" } }
      end },
      { "has an ID token for another request", "id_token", function()
        return { id_token = id_token { nonce = "another" } }
      end },
      { "has half an ID token", "id_token", function()
        return { id_token = "eyJhbGciOiJSUzI1NiJ9.e30" }
      end },
      { "has no refresh token", "invalid_response", function()
        return { refresh_token = false }
      end },
      { "has no access token", "invalid_response", function()
        return { access_token = false }
      end },
      { "lasts for no time", "invalid_response", function()
        return { expires_in = 0 }
      end },
    }
    for _, case in ipairs(cases) do
      it("(" .. case[1] .. ") stores nothing", function()
        local callback, request = sdk.callback(dev, client)
        nonce = http.query(request.url).nonce
        local patch = case[3]()
        for key, value in pairs(patch) do
          patch[key] = value or require("dkjson").null
        end
        dev:fault { target = "token", kind = "patch", patch = patch }
        refused(case[2], client:finish_authentication(callback))
        assert.equal("NO_SESSION", client:session_state())
        assert.equal(1, #seen)
        assert(client:finish_authentication((sdk.callback(dev, client)))) -- the twin
      end)
    end

    it("(it is of another time than our clock's) is no reason to refuse it", function()
      for _, ahead in ipairs { -86400, 86400 } do
        local clock = sdk.clock()
        local wall = clock.wall
        function clock.wall()
          return wall() + ahead
        end
        client = open { clock = clock }
        sdk.log_in(dev, client)
        assert.equal(200, sdk.hello(dev, client))
      end
    end)

    it("(user info cannot be reached) is complete all the same, and says that it is partial", function()
      local callback = sdk.callback(dev, client)
      dev:fault { target = "userinfo", kind = "status", status = 503, times = 5 }
      local info = assert(client:finish_authentication(callback))
      assert.is_true(info.partial)
      assert.is_true(#info.sub > 0)
      assert.equal("AUTHENTICATED", client:session_state())
      dev:control("/faults", nil, "DELETE")
      assert.equal(info.sub, assert(client:fetch_user_info()).sub)
    end)
  end)

  describe("that fails on the way", function()
    it("at the token endpoint stores nothing, and is over", function()
      local callback = sdk.callback(dev, client)
      dev:fault { target = "token", kind = "reset" }
      local info, err = client:finish_authentication(callback)
      assert.is_nil(info)
      assert.equal("network", err.code)
      assert.equal("NO_SESSION", client:session_state())
      assert.equal(1, code_requests())
      refused("no_login", client:finish_authentication(callback)) -- a code is tried once
      sdk.log_in(dev, client)
    end)

    it("at the disk tells so, and shows no session that is not stored", function()
      local dir = sdk.temp_dir()
      finally(function()
        require("authgear.file").test.fault()
        files.remove(dir)
      end)
      client, seen = open { storage = authgear.storage.file { dir = dir } }
      local callback = sdk.callback(dev, client)
      require("authgear.file").test.fault { op = "write", nth = 1, times = 1000, errno = "ENOSPC" }
      local info, err = client:finish_authentication(callback)
      assert.is_nil(info)
      assert.equal("storage", err.code)
      assert.equal("NO_SESSION", client:session_state())
      assert.is_nil(client:access_token())
      assert.equal(1, #seen)
    end)
  end)

  describe("in one call, with a user interface of the caller's,", function()
    it("shows the page and takes the redirect", function()
      local shown
      local info = assert(client:authenticate {
        redirect_uri = sdk.REDIRECT_URI, ui = function(request)
          shown = request
          return dev:visit(request.url).location
        end,
      })
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(info.sub, assert(client:fetch_user_info()).sub)
      assert.equal("code", http.query(shown.url).response_type)
    end)

    it("gives up when the person does", function()
      local info, err = client:authenticate { redirect_uri = sdk.REDIRECT_URI, ui = function()
        return nil, "the window was closed"
      end }
      assert.is_nil(info)
      assert.is_string(err.code)
      assert.equal("NO_SESSION", client:session_state())
    end)
  end)
end)
