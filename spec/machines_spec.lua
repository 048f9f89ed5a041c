-- Machines: tokens for the program itself. One request for one expiry, however many wait for it; one new token and one
-- replay after a 401, never twice for one token; and a storage that fails costs requests, never the token.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local yield_host = require "spec.support.yield_host"

local ONE, TWO = "https://fixtureresource/1", "https://fixtureresource/2"

describe("client_credentials, at the development server,", function()
  local dev, client

  before_each(function()
    dev = server.shared()
  end)

  after_each(function()
    if client then
      client:close()
      client = nil
    end
  end)

  local function new(options)
    options = options or {}
    options.client_id = options.client_id or "m2m"
    options.client_secret = options.client_secret or "m2msecret"
    client = assert(sdk.client(dev, options))
    return client
  end

  local function requests()
    return dev:token_count("client_credentials", "m2m").requests
  end

  it("gives a token for the resource", function()
    local machine = assert(new():client_credentials { resource = TWO })
    local known = dev:control("/check", { access_token = machine:access_token() })
    assert.is_true(known.active)
    assert.equal("client_id_m2m", known.sub)
    assert.equal("Bearer " .. machine:access_token(), machine:authorization_header())
    assert.is_true(math.abs(machine:expires_at() - os.time() - 1800) < 60)
    assert.equal("NO_SESSION", client:session_state())
    assert.is_nil(client:access_token())
  end)

  it("fetches with it", function()
    local machine = assert(new():client_credentials { resource = TWO })
    local seen = sdk.echo(dev, machine)
    assert.equal("client_id_m2m", seen.sub)
    assert.equal(machine:authorization_header(), seen.headers.authorization)
    assert.equal(1, requests())
  end)

  it("asks for the scope", function()
    local machine = assert(new():client_credentials { resource = TWO, scope = "resource2_scope1" })
    local claims = assert(client:verify(machine:access_token(), { audience = TWO }))
    assert.equal("resource2_scope1", claims.scope)
  end)

  it("keeps a token for each resource and scope", function()
    new()
    local a = assert(client:client_credentials { resource = ONE })
    local b = assert(client:client_credentials { resource = TWO })
    local c = assert(client:client_credentials { resource = TWO, scope = "resource2_scope1" })
    assert.equal(3, requests())
    assert.is_true(a:access_token() ~= b:access_token() and b:access_token() ~= c:access_token())
    assert.equal(a, client:client_credentials { resource = ONE })
    assert.equal(c, client:client_credentials { resource = TWO, scope = "resource2_scope1" })
    assert.equal(3, requests())
  end)

  for _, case in ipairs {
    { "no resource", {}, "invalid_target", "resource is required" },
    { "a scope that is not allowed", { resource = TWO, scope = "openid" }, "invalid_scope", "specified scope is not allowed: openid" },
  } do
    it("passes on the server's error: " .. case[1], function()
      local machine, err = new():client_credentials(case[2])
      assert.is_nil(machine)
      assert.same({ "oauth", 400, case[3], case[4], false },
        { err.code, err.status, err.oauth_error, err.oauth_error_description, err.retryable })
    end)
  end

  it("never shows the secret", function()
    local machine, err = new { client_secret = "a wrong secret" }:client_credentials { resource = TWO }
    assert.is_nil(machine)
    assert.equal("oauth", err.code)
    dev:fault { target = "token", kind = "answer", status = 400,
      body = '{"error":"invalid_client","error_description":"not a wrong secret"}' }
    machine, err = client:client_credentials { resource = TWO }
    assert.is_nil(machine)
    assert.is_nil(tostring(err):find("wrong secret", 1, true), tostring(err))
  end)

  for _, method in ipairs { "client_secret_basic", "client_secret_post" } do
    it("authenticates by " .. method, function()
      local machine = assert(new { token_endpoint_auth_method = method }:client_credentials { resource = TWO })
      assert.is_string(machine:access_token())
    end)
  end

  it("renews the token at 90 % of its life, and not before", function()
    local clock = sdk.clock()
    local machine = assert(new { clock = clock }:client_credentials { resource = TWO })
    local first = machine:access_token()
    clock.ahead = 1500
    assert(machine:refresh_access_token_if_needed())
    assert.equal(first, machine:access_token())
    clock.ahead = 1650
    assert.equal("client_id_m2m", sdk.echo(dev, machine).sub)
    assert.is_true(machine:access_token() ~= first)
    assert.equal(2, requests())
  end)

  it("replaces a refused token once, and never asks twice for one", function()
    local machine = assert(new():client_credentials { resource = TWO })
    local first = machine:access_token()
    for _ = 1, 3 do
      assert.equal(401, machine:fetch(dev.app .. "/api/always401").status)
      assert.equal(2, requests())
    end
    assert.is_true(machine:access_token() ~= first)
    assert.equal("client_id_m2m", sdk.echo(dev, machine).sub)
    local action, header = machine:handle_unauthorized { status = 401, access_token = first }
    assert.same({ "retry", machine:authorization_header() }, { action, header })
    assert.equal("return", (machine:handle_unauthorized { status = 401 }))
    assert.equal(2, requests())
  end)

  it("does not clear anything after a 401", function()
    local machine = assert(new { on_unauthorized = "clear" }:client_credentials { resource = TWO })
    assert.equal(401, machine:fetch(dev.app .. "/api/always401").status)
    assert.is_string(machine:access_token())
  end)

  it("wraps another HTTP library's function", function()
    local machine = assert(new():client_credentials { resource = TWO })
    local sent = {}
    local request = machine:wrap(function(authorization, url)
      sent[#sent + 1] = authorization
      return { status = #sent == 1 and 401 or 200, url = url }
    end)
    local answer = request "x"
    assert.same({ 200, "x" }, { answer.status, answer.url })
    assert.is_true(#sent == 2 and sent[1] ~= sent[2])
  end)

  it("asks once for all tasks that wait", function()
    new()
    local list = {}
    for i = 1, 20 do
      list[i] = function()
        local machine, err = client:client_credentials { resource = TWO }
        if not machine then
          return nil, err
        end
        return machine:fetch(dev.app .. "/api/hello")
      end
    end
    local results, errs = authgear.all(list):wait()
    for i = 1, #list do
      assert.equal(200, results[i] and results[i].status, tostring(errs and errs[i]))
    end
    assert.equal(1, requests())
  end)

  it("shares the token with other processes through a file, and the session's record is another", function()
    local dir = sdk.temp_dir()
    local options = { storage = authgear.storage.file { dir = dir }, client_id = "m2m", client_secret = "m2msecret" }
    local machine = assert(new(options):client_credentials { resource = TWO })
    local token = machine:access_token()
    local child = files.child(([[
      local authgear = require "authgear"
      local client = assert(authgear.new { endpoint = %q, client_id = "m2m", client_secret = "m2msecret", proxy = "",
        storage = authgear.storage.file { dir = %q } })
      say(client:session_state())
      say(assert(client:client_credentials { resource = %q }):access_token())
    ]]):format(dev.endpoint, dir, TWO))
    assert.equal("NO_SESSION", child:hear())
    assert.equal(token, child:hear())
    assert.equal(1, requests())
    local text = files.sh("cat " .. files.quote(dir) .. "/*")
    assert.is_nil(text:find("m2msecret", 1, true))
    local again = assert(sdk.client(dev, options))
    assert.equal("NO_SESSION", again:session_state())
    again:close()
    files.remove(dir)
  end)

  it("asks once for all processes that start at the same moment", function()
    local dir, children = sdk.temp_dir(), {}
    dev:fault { target = "token", kind = "slow", ms = 200, when = "after", times = 1 }
    for i = 1, 4 do
      children[i] = files.child(([[
        local authgear = require "authgear"
        local client = assert(authgear.new { endpoint = %q, client_id = "m2m", client_secret = "m2msecret", proxy = "",
          storage = authgear.storage.file { dir = %q } })
        say "ready"
        hear()
        say(assert(client:client_credentials { resource = %q }):access_token())
      ]]):format(dev.endpoint, dir, TWO))
      assert.equal("ready", children[i]:hear())
    end
    local token
    for _, child in ipairs(children) do
      child:say "go"
    end
    for _, child in ipairs(children) do
      local one = child:hear()
      token = token or one
      assert.equal(token, one)
    end
    assert.equal(1, requests())
    files.remove(dir)
  end)

  it("takes part in nothing once the client is closed", function()
    local machine = assert(new():client_credentials { resource = TWO })
    client:close()
    for _, call in ipairs {
      function() return machine:fetch(dev.app .. "/api/hello") end,
      function() return machine:refresh_access_token_if_needed() end,
      function() return machine:refresh_access_token() end,
      function() return machine:handle_unauthorized { status = 401 } end,
      function() return client:client_credentials { resource = TWO } end,
    } do
      local value, err = call()
      assert.is_nil(value)
      assert.equal("closed", err.code)
    end
  end)

  it("is tried again after a failure that passes", function()
    new()
    dev:fault { target = "token", kind = "status", status = 503, times = 1 }
    dev:fault { target = "token", kind = "close", when = "after", times = 1 }
    assert(client:client_credentials { resource = TWO })
    assert.equal(3, requests())
  end)

  it("leaves the server alone for as long as it asks", function()
    new { retry = false }
    dev:fault { target = "token", kind = "429", retry_after = 100, times = 1 }
    local machine, err = client:client_credentials { resource = TWO }
    assert.is_nil(machine)
    assert.same({ "rate_limited", 100 }, { err.code, err.retry_after })
    machine, err = client:client_credentials { resource = TWO }
    assert.is_nil(machine)
    assert.equal("rate_limited", err.code)
    assert.equal(1, requests())
    assert(client:client_credentials { resource = ONE }) -- another token is another matter
  end)

  for _, kind in ipairs { "garbage", "empty", "hang", "reset", "not_http" } do
    it("says what went wrong, and works afterwards: " .. kind, function()
      new { retry = false, timeout = kind == "hang" and 0.3 or 20 }
      dev:fault { target = "token", kind = kind, times = kind == "reset" and 2 or 1 } -- libcurl itself tries a kept connection's again
      local machine, err = client:client_credentials { resource = TWO }
      assert.is_nil(machine)
      assert.is_truthy(({ invalid_response = 1, network = 1, timeout = 1 })[err.code], err.code)
      new()
      assert(client:client_credentials { resource = TWO })
    end)
  end

  it("checks its options", function()
    new()
    for _, case in ipairs {
      { nil, "a table expected" }, { { resource = 1 }, "option 'resource' must be a string" },
      { { scopes = "a" }, "unknown option 'scopes'" }, { { scope = "" }, "option 'scope' must be a string" },
    } do
      local ok, raised = pcall(client.client_credentials, client, case[1])
      assert.is_false(ok)
      assert.is_truthy(raised:find(case[2], 1, true), raised)
    end
    local ok, raised = pcall(authgear.new, { endpoint = dev.endpoint, client_id = "x", token_endpoint_auth_method = "none" })
    assert.is_false(ok)
    assert.is_truthy(raised:find("client_secret_basic", 1, true), raised)
  end)
end)

-- Storages that fail, against a server in Lua.
describe("a machine's storage", function()
  local fake

  before_each(function()
    fake = fake_server.new {}
  end)

  local function new(storage)
    return assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, client_secret = "secret!!",
      transport = fake, storage = storage })
  end

  for _, what in ipairs { "get", "set", "lock", "changed" } do
    it("may fail to " .. what .. ": the token is good all the same", function()
      local failing = false
      local storage = fake_storage.new(fake_storage.medium(), nil, function(call)
        return failing and call == what
      end)
      local client = new(storage)
      failing = true
      local machine = assert(client:client_credentials { resource = "r" })
      for _ = 1, 3 do
        assert.equal(200, machine:fetch(fake.app .. "/x").status)
      end
      assert.equal(1, fake.counts.machine)
      client:close()
    end)
  end

  it("that is damaged is written anew; a newer release's and another's are left alone", function()
    for _, case in ipairs { { "{", true }, { '{"format":"authgear-session","version":99}', false },
      { '{"format":"authgear-session","version":1,"generation":1,"endpoint":"https://a.example","client_id":"b"}', false } } do
      local medium = fake_storage.medium()
      local client = new(fake_storage.new(medium))
      local machine = assert(client:client_credentials { resource = "r" })
      local name = next(medium.records)
      client:close()
      medium.records[name] = case[1]
      client = new(fake_storage.new(medium))
      local second = assert(client:client_credentials { resource = "r" })
      assert.is_true(machine:access_token() ~= second:access_token())
      assert.equal(case[2], medium.records[name] ~= case[1])
      client:close()
    end
  end)

  it("may be another's lock for too long: the token is got without it, and kept", function()
    local medium = fake_storage.medium()
    local client = assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, client_secret = "secret!!",
      transport = fake, storage = fake_storage.new(medium), lock_timeout = 0.02 })
    medium.owner = "another"
    local machine = assert(client:client_credentials { resource = "r" })
    assert.equal(200, machine:fetch(fake.app .. "/x").status)
    assert.same({ 1, nil }, { fake.counts.machine, next(medium.records) })
    client:close()
  end)

  it("knows each machine's record from the session's, and from every other's", function()
    local medium = fake_storage.medium()
    local client = new(fake_storage.new(medium))
    local request = assert(client:start_authentication { redirect_uri = fake.redirect_uri })
    assert(client:finish_authentication(fake:visit(request.url)))
    local session = medium.records.default
    assert(client:client_credentials { resource = "r" })
    assert(client:client_credentials { resource = "r", scope = "s" })
    local names = 0
    for _ in pairs(medium.records) do
      names = names + 1
    end
    assert.equal(3, names)
    assert.equal(session, medium.records.default)
    assert(client:logout())
    assert.is_nil(medium.records.default)
    assert.equal(200, assert(client:client_credentials { resource = "r" }):fetch(fake.app .. "/x").status)
    assert.equal(2, fake.counts.machine)
    client:close()
  end)
end)

-- Everything yields, in random order, on a clock of its own: one request for each expiry over all clients.
describe("machines in a host in which everything yields", function()
  local LIFETIME = 5

  it("ask once for each expiry", function()
    for seed = 1, 20 do
      local host, medium = yield_host.new(seed), fake_storage.medium()
      local fake = fake_server.new { now = host.clock.monotonic, lifetime = LIFETIME, pause = function()
        host:pause(0.04)
      end }
      local clients, good = {}, 0
      for i = 1, 3 do
        clients[i] = assert(authgear.new { endpoint = fake.endpoint, client_id = fake.client_id, client_secret = "secret!!",
          transport = fake, host = host.host, clock = host.clock, storage = fake_storage.new(medium, function()
            host:pause()
          end) })
      end
      local calls = 0
      for round = 1, 3 do
        for i = 1, 30 do
          calls = calls + 1
          host:go("fetch " .. i, function()
            local machine = assert(clients[i % 3 + 1]:client_credentials { resource = "r" })
            local response = assert(machine:fetch(fake.app .. "/x"))
            good = good + (response.status == 200 and 1 or 0)
          end)
        end
        host:run()
        assert.equal(calls, good, "seed " .. seed)
        assert.equal(round, fake.counts.machine, "seed " .. seed)
        host.time = host.time + LIFETIME
      end
      assert.is_nil(medium.owner)
    end
  end)
end)
