-- No token, code, verifier, client secret or state in any error, log line, traceback or event, whatever the servers
-- say: every public function goes through every kind of bad answer, with canaries for secrets.
-- takes: 8

local core = require "authgear.core"
local canary = require "spec.support.canary"
local fake = require "spec.support.fake_provider"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local tour = require "spec.support.tour"

local each_operation, each_target = tour.each_operation, tour.each_target

describe("the canary", function()
  local secret = canary.text("of the self-test")

  it("is found however it is written", function()
    for name, encode in pairs(canary.ENCODINGS) do
      local watch = canary.watch()
      watch:plant("canary", secret)
      watch:look("a text", "it says '" .. encode(secret) .. "', no less")
      assert.has_error(function() watch:check() end, nil, name)
    end
  end)

  it("is found in any field of an error made with it, and in its text", function()
    local errors = require "authgear.errors"
    for _, make in ipairs {
      function() return errors.new("network", "sent " .. secret) end,
      function() local e = errors.new("network", "x") e.cause = { deep = { secret } } return e end,
      function() local e = errors.new("network", "x") e.oauth_error_description = secret:sub(3, 10) return e end,
      function() local e = errors.new("network", "x") e[secret] = true return e end,
      function() return select(2, xpcall(function() error("at " .. secret) end, debug.traceback)) end,
    } do
      local watch = canary.watch()
      watch:plant("canary", secret)
      watch:look("err", make())
      assert.has_error(function() watch:check() end)
    end
  end)

  it("is not found where it is not", function()
    local watch = canary.watch()
    watch:plant("canary", secret)
    watch:look("a text", secret:sub(1, 7), "a token, a code, a verifier: no secrets", canary.base64(canary.text("another")))
    watch:check()
    assert.truthy(watch.looked >= 3)
  end)

  it("shows up when a leak is planted in the SDK itself", function()
    local real = core.error
    core.error = function(flow)
      local code, message, retryable = real(flow)
      return code, message .. " for " .. canary.text("refresh token 3"), retryable
    end
    local ok, why = pcall(each_operation, function(s)
      s.provider.answers.token = function() return nil, { code = "network" } end
    end)
    core.error = real
    assert.is_false(ok)
    assert.truthy(tostring(why):find("the refresh token stands there as it is", 1, true), why)
  end)
end)

describe("no secret", function()
  it("comes out of what goes well", function()
    assert.equal(0, each_operation(function() end))
  end)

  it("comes back from a server that echoes it in an OAuth error", function()
    local answers = 0
    -- The next secret each time, in one of the two fields.
    local function echo(encode)
      return function(known)
        answers = answers + 1
        local body = { error = "invalid_request", error_description = "no" }
        body[answers % 2 == 0 and "error" or "error_description"] = "got " .. encode(known[answers % #known + 1])
        return fake.json(400, body)
      end
    end
    for name, encode in pairs(canary.ENCODINGS) do
      assert.truthy(each_target(echo(encode)) > 10, name)
    end
    for _ = 1, 8 do
      each_target(echo(canary.ENCODINGS.raw))
    end
  end)

  -- Everything that is known, in one text.
  local function all(known)
    return table.concat(known, " ")
  end

  local function in_json(known)
    local fields = {}
    for i, secret in ipairs(known) do
      fields[secret] = secret
      fields["k" .. i] = secret
    end
    return fields
  end

  local BODIES = {
    nothing_but_them = all,
    torn_json = function(known) return '{"error":"' .. all(known) end,
    doubled_keys = function(known) return ('{"%s":1,"%s":1}'):format(known[1], known[1]) end,
    bad_escape = function(known) return ('{"access_token":"%s\\q"}'):format(all(known)) end,
    null_inside = function(known) return ('{"access_token":"%s\\u0000"}'):format(all(known)) end,
    names_and_values = function(known) return core.json_encode(in_json(known)) end,
    tokens_with_breaks = function(known)
      return core.json_encode { access_token = known[1] .. "\r\nX-Evil: 1", token_type = "Bearer",
        refresh_token = known[#known] .. "\0", id_token = all(known), issuer = known[1], sub = known[1] }
    end,
    wrong_types = function(known)
      return core.json_encode { access_token = known, token_type = all(known), expires_in = all(known),
        issuer = known, token_endpoint = all(known), sub = known, error = known, error_description = in_json(known) }
    end,
    an_endpoint = function(known)
      local metadata = fake.metadata()
      metadata.token_endpoint = "http://" .. known[1]:gsub("[^%w]", "x") .. ".test/" .. all(known)
      return core.json_encode(metadata)
    end,
  }

  it("comes out of a body that makes no sense", function()
    for name, body in pairs(BODIES) do
      for _, status in ipairs { 200, 400, 503 } do
        local failures = each_target(function(known)
          return { status = status, headers = { ["Content-Type"] = "application/json" }, body = body(known) }
        end)
        assert.truthy(failures > 0, name)
      end
    end
  end)

  it("comes out of headers and redirects", function()
    for _, status in ipairs { 302, 308, 401, 429, 503 } do
      each_target(function(known)
        local secret = known[1]
        return { status = status, body = all(known), headers = {
          [secret:gsub("[^%w]", "-")] = all(known), ["Retry-After"] = secret, ["Content-Type"] = secret,
          ["WWW-Authenticate"] = "Bearer error_description=\"" .. all(known) .. "\"",
          Location = "http://" .. secret:gsub("[^%w]", "x") .. ".test/" .. secret .. "?token=" .. secret,
        } }
      end)
    end
    for _, location in ipairs { "https://%s@x.test/", "https://x.test:%s/", "%s://x", "https://[%s]/", "\127%s",
      "https://x.test/%s#%s", "ftp://%s/" } do
      each_target(function(known)
        return { status = 302, headers = { Location = (location:gsub("%%s", (known[1]:gsub("%%", "%%%%")))) } }
      end)
    end
  end)

  it("comes out of a redirect loop, or of a host that is not there", function()
    each_target(function(known, request)
      return { status = 302, headers = { Location = request.url:match("^[^?]*") .. "?token=" .. known[1] } }
    end)
    each_target(function(known, request)
      if request.url:find("gone", 1, true) then
        return nil, { code = "dns", message = "could not look up " .. request.url:match("//([^/]*)") }
      end
      return { status = 302, headers = { Location = "https://" .. known[1] .. ".gone.test/" .. known[1] } }
    end)
  end)

  it("comes out of a transport that says what it knows", function()
    for name, encode in pairs(canary.ENCODINGS) do
      local turn = 0
      local failures = each_target(function(known, request)
        turn = turn + 1
        local text = "failed: " .. encode(known[turn % #known + 1])
        if turn % 4 == 0 then
          error(text)
        elseif turn % 4 == 1 then
          error({ request, text })
        elseif turn % 4 == 2 then
          return nil, text
        end
        return nil, { code = "network", message = text, cause = request, retryable = true }
      end)
      assert.truthy(failures > 10, name)
    end
  end)

  it("comes out of an error that says the request", function()
    for _, make in ipairs {
      function(request) return nil, request.method .. " " .. request.url .. " " .. tostring(request.body) end,
      function(request) return nil, { code = "tls", message = request.body or request.headers.Authorization or "" } end,
      function(request) return nil, { code = request.body or request.headers.Authorization, message = request.url } end,
      function(request) error(request) end,
      function(request) error(request.body or request.headers.Authorization) end,
      function(request) return request end,
      function(request) return request.body or request.url end,
      function(request) return { status = request.body, headers = request.headers, body = request } end,
      function(request) return { status = 200, headers = { [request.body or "a b"] = "x" }, body = "" } end,
      function(request) return { status = 200, headers = "X: " .. tostring(request.body) .. "\0", body = "" } end,
    } do
      assert.truthy(each_target(function(_, request)
        return make(request)
      end) > 0)
    end
  end)

  it("comes out of an exchange over HTTP that goes wrong", function()
    local dev = server.shared()
    local watch = canary.watch()
    local client = assert(sdk.client(dev, { client_id = "rotating", max_redirects = 3, timeout = 3, retry = false, log = function(...)
      watch:look("log", ...)
    end }))
    local function logged_in()
      if client:session_state() ~= "AUTHENTICATED" then
        local callback, request = sdk.callback(dev, client)
        watch:plant("state", request.state)
        watch:plant("code", callback:match("[?&]code=([^&]+)"))
        assert(client:finish_authentication(callback))
      end
      watch:plant("access token", client:access_token())
      return client:access_token()
    end
    local calls = {
      app = function() return client:fetch(dev.app .. "/api/hello?token=" .. client:access_token()) end,
      userinfo = function() return client:fetch_user_info() end,
      token = function() return client:refresh_access_token() end,
      revoke = function() return client:logout() end,
    }
    local failed = 0
    for target, call in pairs(calls) do
      local token = logged_in()
      local label = token:gsub("[^%w]", ""):sub(-40)
      for _, fault in ipairs {
        { kind = "redirect", location = "http://" .. label .. ".invalid/?t=" .. token },
        { kind = "redirect", location = "https://" .. label .. ".invalid/" .. token },
        { kind = "redirect", location = "https://127.0.0.1:1/" .. token }, { kind = "redirect", location = "//" .. token .. ":x" },
        { kind = "answer", status = 400, body = '{"error":"invalid_request","error_description":"' .. token:sub(-60) .. '"}',
          headers = { [label] = token, ["retry-after"] = token } },
        { kind = "answer", status = 503, body = token }, { kind = "garbage" }, { kind = "not_http" }, { kind = "reset" },
        { kind = "truncate" }, { kind = "big" },
      } do
        logged_in()
        fault.target, fault.times = target, 1
        dev:fault(fault)
        local ok, value, err = xpcall(call, debug.traceback)
        if not ok or not value then
          failed = failed + 1
          watch:look(target .. " " .. fault.kind, ok and err or value)
        end
        dev:reset()
        watch:check()
      end
    end
    assert.truthy(failed > 30, failed)
  end)
end)
