-- What breaks at the server or on the way to it: each fault of the development server, at each endpoint, before and
-- after the server has acted, gives a clear code, and costs nobody the login (laws 4 and 5).
-- takes: 22

local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local ALWAYS = 1000 -- times: libcurl repeats a GET by itself when a kept connection breaks

-- What a fault should look like: code, retryable, and what else is known. No code: no error.
local FAULTS = {
  { kind = "reset", code = "network", retryable = true },
  { kind = "close", code = "network", retryable = true },
  { kind = "hang", code = "timeout", retryable = true, patience = 0.2 },
  { kind = "truncate", code = "network", retryable = true },
  { kind = "not_http", code = "invalid_response", retryable = false },
  { kind = "garbage", code = "invalid_response", retryable = false, status = 200 },
  { kind = "garbage", binary = true, code = "invalid_response", retryable = false, status = 200 },
  { kind = "empty", code = "invalid_response", retryable = false, status = 200 },
  { kind = "big", bytes = 2 ^ 21, code = "too_large", retryable = false },
  { kind = "status", status = 500, code = "server", retryable = true },
  { kind = "status", status = 503, code = "server", retryable = true },
  { kind = "status", status = 404, code = "invalid_response", retryable = false },
  { kind = "429", retry_after = 7, code = "rate_limited", retryable = true, status = 429 },
  { kind = "redirect", status = 307, code = "invalid_response", retryable = false },
  { kind = "answer", status = 200, body = "[]", code = "invalid_response", retryable = false },
  { kind = "answer", status = 401, body = '{"error":"invalid_client"}', code = "oauth", oauth_error = "invalid_client",
    retryable = false },
  { kind = "answer", status = 400, body = '{"error":"server_error"}', code = "oauth", oauth_error = "server_error",
    retryable = false },
  { kind = "slow", ms = 100 },
  { kind = "drip", ms = 1, bytes = 200 },
}

-- To what only reads, the two moments look the same: on one Lua they are both tried all the same.
local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match "%d%.%d"
local READING = (os.getenv "AUTHGEAR_SOAK" or VERSION == "5.4") and { "before", "after" } or { "before" }

local ONLY_AFTER = { truncate = true, drip = true, patch = true }

local function name_of(fault, when)
  local words = { fault.kind }
  for _, key in ipairs { "status", "body", "binary", "bytes" } do
    if fault[key] then
      words[#words + 1] = tostring(fault[key])
    end
  end
  if fault.patch then
    local key, value = next(fault.patch)
    words[#words + 1] = key .. "=" .. tostring(value)
  end
  return table.concat(words, " ") .. ", " .. when .. " it has acted"
end

-- Runs `case` for each fault at each moment that there is.
local function each(faults, moments, case)
  for _, fault in ipairs(faults) do
    for _, when in ipairs((ONLY_AFTER[fault.kind] and moments == READING) and { "after" } or moments) do
      if when == "after" or not ONLY_AFTER[fault.kind] then
        it(name_of(fault, when), function()
          case(fault, when)
        end)
      end
    end
  end
end

local function check_error(fault, value, err)
  if not fault.code then
    assert.is_nil(err and tostring(err))
    assert.truthy(value)
    return
  end
  assert.is_nil(value)
  assert.equal(fault.code, err.code, tostring(err))
  assert.equal(fault.retryable, err.retryable)
  assert.equal(fault.oauth_error, err.oauth_error)
  if fault.status then
    assert.equal(fault.status, err.status)
  end
  if fault.kind == "429" then
    assert.equal(7, err.retry_after)
  end
  assert.truthy(#err.message > 0)
  assert.falsy(tostring(err):find("?", 1, true))
end

describe("a fault", function()
  local dev, storage, clock

  before_each(function()
    dev = server.shared()
  end)

  local function open(client_id, fault)
    local patience = fault and fault.patience
    return assert(sdk.client(dev, {
      client_id = client_id, storage = storage, clock = clock, timeout = patience, refresh_timeout = patience,
    }))
  end

  local function begin(client_id)
    storage, clock = authgear.storage.memory(), sdk.clock()
    local client, seen = open(client_id)
    sdk.log_in(dev, client)
    return client, seen
  end

  -- A session's access token grows old; logs in when the last case left none.
  local function grow_old(client_id)
    if storage == nil or open(client_id):session_state() ~= "AUTHENTICATED" then
      begin(client_id)
    end
    clock.ahead = clock.ahead + 1700
  end

  local function order(fault, target, when)
    local copy = { target = target, when = when, times = ALWAYS, location = dev.other_app .. "/public/echo" }
    for key, value in pairs(fault) do
      copy[key] = value
    end
    for _, ours in ipairs { "code", "retryable", "oauth_error", "patience" } do
      copy[ours] = nil
    end
    copy.target, copy.when = target, when
    return dev:fault(copy)
  end

  local function calm()
    dev:control("/faults", nil, "DELETE")
  end

  local TOKEN_FAULTS = {
    { kind = "patch", patch = { access_token = false }, code = "invalid_response", retryable = false },
    { kind = "patch", patch = { token_type = "mac" }, code = "invalid_response", retryable = false },
    { kind = "patch", patch = { expires_in = -1 }, code = "invalid_response", retryable = false },
    { kind = "patch", patch = { refresh_token = "two words" }, code = "invalid_response", retryable = false },
  }
  for _, fault in ipairs(FAULTS) do
    TOKEN_FAULTS[#TOKEN_FAULTS + 1] = fault
  end

  -- A refresh under a fault: the error, one request on the wire, the session as it was.
  local function refresh_under(client_id, fault, when)
    grow_old(client_id)
    local client = open(client_id, fault)
    order(fault, "token", when)
    local before = client:access_token()
    check_error(fault, client:refresh_access_token_if_needed())
    assert.equal(1, sdk.refreshes(dev, client_id))
    assert.equal("AUTHENTICATED", client:session_state())
    assert.equal(fault.code ~= nil, before == client:access_token())
    calm()
    -- A hang is only over for a client with more patience.
    return fault.patience and open(client_id) or client
  end

  local function works_again(client_id, client)
    local asked = sdk.refreshes(dev, client_id)
    local response = assert(client:fetch(dev.app .. "/api/hello"))
    assert.equal(200, response.status)
    assert.equal("AUTHENTICATED", client:session_state())
    return sdk.refreshes(dev, client_id) - asked
  end

  describe("of the token endpoint during a refresh, refresh tokens not rotating:", function()
    setup(function()
      storage = nil
    end)

    each(TOKEN_FAULTS, { "before", "after" }, function(fault, when)
      local client = refresh_under("native", fault, when)
      assert.equal(fault.code and 1 or 0, works_again("native", client))
    end)
  end)

  describe("of the token endpoint during a refresh, refresh tokens rotating:", function()
    setup(function()
      storage = nil
    end)

    each(TOKEN_FAULTS, { "before" }, function(fault, when)
      local client = refresh_under("rotating", fault, when)
      assert.equal(fault.code and 1 or 0, works_again("rotating", client))
    end)

    -- The one window: the server has rotated, and its answer never came. The next refresh is told.
    each(TOKEN_FAULTS, { "after" }, function(fault, when)
      local client = refresh_under("rotating", fault, when)
      if not fault.code then
        assert.equal(0, works_again("rotating", client))
        return
      end
      local events = {}
      client:on_session_state_change(function(_, state, reason)
        events[#events + 1] = state .. " " .. reason
      end)
      assert.is_true(client:refresh_access_token_if_needed())
      assert.same({ "NO_SESSION INVALID" }, events)
      assert.is_nil(client:access_token())
    end)
  end)

  describe("of the discovery document:", function()
    setup(function()
      storage = nil
    end)

    local faults = {
      { kind = "patch", patch = { issuer = "http://elsewhere.example" }, code = "discovery", retryable = false },
      { kind = "patch", patch = { token_endpoint = "http://elsewhere.example/token" }, code = "discovery",
        retryable = false },
      { kind = "patch", patch = { authorization_endpoint = false }, code = "discovery", retryable = false },
    }
    for _, fault in ipairs(FAULTS) do
      faults[#faults + 1] = fault
    end
    each(faults, READING, function(fault, when)
      local expected = fault
      if fault.kind == "answer" and fault.status == 200 then
        expected = { code = "discovery", retryable = false }
      end
      grow_old "native"
      local client = open("native", fault)
      order(fault, "discovery", when)
      check_error(expected, client:refresh_access_token_if_needed())
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(fault.code and 0 or 1, sdk.refreshes(dev))
      calm()
      works_again("native", fault.patience and open "native" or client)
    end)
  end)

  describe("of user info:", function()
    setup(function()
      storage = nil
    end)

    local faults = {
      { kind = "patch", patch = { sub = "somebody else" }, code = "user_mismatch", retryable = false },
      { kind = "patch", patch = { sub = false }, code = "invalid_response", retryable = false },
    }
    for _, fault in ipairs(FAULTS) do
      if fault.status ~= 401 then
        faults[#faults + 1] = fault
      end
    end
    each(faults, READING, function(fault, when)
      if storage == nil then
        begin "native"
      end
      local client = open("native", fault)
      order(fault, "userinfo", when)
      check_error(fault, client:fetch_user_info())
      assert.equal("AUTHENTICATED", client:session_state())
      calm()
      client = fault.patience and open "native" or client
      assert.equal(1, #{ assert(client:fetch_user_info()).sub })
      assert.equal(0, sdk.refreshes(dev))
    end)
  end)

  describe("of the revocation endpoint during a log-out:", function()
    each(FAULTS, { "before", "after" }, function(fault, when)
      begin "rotating"
      local client = open("rotating", fault)
      order(fault, "revoke", when)
      local expected = fault
      if fault.kind == "garbage" or fault.kind == "empty" or (fault.kind == "answer" and fault.status == 200) then
        expected = {} -- the body of a revocation's answer says nothing (RFC 7009 section 2.2)
      end
      check_error(expected, client:logout())
      assert.equal(1, #dev:log { target = "revoke", event = "received" })
      assert.equal(expected.code and "AUTHENTICATED" or "NO_SESSION", client:session_state())
      calm()
      assert.is_true((fault.patience and open "rotating" or client):logout())
      assert.equal("NO_SESSION", open("rotating"):session_state())
    end)
  end)

  describe("of an application server", function()
    setup(function()
      storage = nil
    end)

    before_each(function()
      if storage == nil then
        begin "native"
      end
    end)

    local breaks = {}
    for _, fault in ipairs(FAULTS) do
      if fault.code == "network" or fault.code == "timeout" or fault.code == "too_large" or not fault.code
          or fault.kind == "not_http" then
        breaks[#breaks + 1] = fault
      end
    end
    each(breaks, READING, function(fault, when)
      local client = open("native", fault)
      order(fault, "app", when)
      check_error(fault, client:fetch(dev.app .. "/api/hello", { max_body = 65536 }))
      assert.equal("AUTHENTICATED", client:session_state())
      calm()
      works_again("native", fault.patience and open "native" or client)
      assert.equal(0, sdk.refreshes(dev))
    end)

    for _, status in ipairs { 400, 403, 404, 429, 500, 503 } do
      it("that answers " .. status .. " is the caller's to judge", function()
        local client = open "native"
        local response = assert(client:fetch(dev.app .. "/api/status/" .. status))
        assert.equal(status, response.status)
        assert.is_false(response.ok)
        assert.equal("AUTHENTICATED", client:session_state())
        assert.equal(0, sdk.refreshes(dev))
      end)
    end
  end)

  describe("that is no fault but the server's verdict", function()
    local function remember(slot)
      return {
        get = function()
          slot.gets = (slot.gets or 0) + 1
          return slot.early and slot.gets <= 2 and slot.early or slot.record
        end,
        set = function(_, _, record)
          slot.record = record
          return true
        end,
        del = function()
          slot.record = nil
          return true
        end,
      }
    end

    it("on the stored token ends the session", function()
      grow_old "native"
      local client, seen = sdk.client(dev, { client_id = "native", storage = storage, clock = clock })
      dev:revoke {}
      assert.is_true(client:refresh_access_token_if_needed())
      assert.same({ "AUTHENTICATED FOUND_TOKEN", "NO_SESSION INVALID" }, seen)
      assert.equal("NO_SESSION", open("native"):session_state())
    end)

    -- Whoever replaced the token under our hands (a lock that does not hold on some network's file system) has
    -- stored what counts.
    it("on another token than the one that is stored by now ends nothing", function()
      clock = sdk.clock()
      local slot = {}
      local client = assert(sdk.client(dev, { client_id = "rotating", clock = clock, storage = remember(slot) }))
      sdk.log_in(dev, client)
      local early = slot.record
      clock.ahead = 1700
      assert.is_true(client:refresh_access_token_if_needed())
      local late, seen = sdk.client(dev, {
        client_id = "rotating", clock = clock, storage = remember { early = early, record = slot.record },
      })
      assert.is_true(late:refresh_access_token_if_needed())
      assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen)
      assert.equal(client:access_token(), late:access_token())
      local count = dev:token_count("refresh_token", "rotating")
      assert.same({ 2, 1, 1 }, { count.requests, count.ok, count.failed })
    end)
  end)

  describe("on the way:", function()
    local client, seen

    before_each(function()
      client, seen = begin "native"
    end)

    local function kept()
      assert.equal("AUTHENTICATED", client:session_state())
      assert.equal(2, #seen) -- NO_TOKEN when it was made, AUTHENTICATED
      works_again("native", client)
    end

    it("a name that does not exist", function()
      local response, err = client:fetch "https://no-such-host.invalid/"
      check_error({ code = "dns", retryable = true }, response, err)
      local other = assert(sdk.client(dev, { endpoint = "https://no-such-host.invalid" }))
      check_error({ code = "dns", retryable = true }, other:start_authentication { redirect_uri = sdk.REDIRECT_URI })
      kept()
    end)

    it("a refused connection", function()
      local socket = assert(require("socket").bind("127.0.0.1", 0))
      local _, port = socket:getsockname()
      socket:close()
      local gone = "http://127.0.0.1:" .. port
      check_error({ code = "network", retryable = true }, client:fetch(gone .. "/"))
      local other = assert(sdk.client(dev, { endpoint = gone }))
      check_error({ code = "network", retryable = true }, other:start_authentication { redirect_uri = sdk.REDIRECT_URI })
      order({ kind = "patch", patch = { token_endpoint = gone .. "/token" } }, "discovery", "after")
      local third = open "native"
      check_error({ code = "network", retryable = true }, third:refresh_access_token())
      assert.equal("AUTHENTICATED", third:session_state())
      calm()
      kept()
    end)

    it("a redirect loop", function()
      local response, err = client:fetch(dev.app .. "/api/redirect/302?loop")
      check_error({ code = "redirect", retryable = false }, response, err)
      assert.equal(11, #dev:log { target = "app", event = "received" })
      kept()
    end)

    it("a body over the limit, also one that only grows once decompressed", function()
      for _, path in ipairs { "/api/big?n=100000", "/api/big?n=100000&chunked", "/api/gzip?n=10000000" } do
        check_error({ code = "too_large", retryable = false }, client:fetch(dev.app .. path, { max_body = 65536 }))
        assert.equal(200, assert(client:fetch(dev.app .. path)).status)
      end
      kept()
    end)

    it("a whole call that takes too long, however it spends the time", function()
      local slow = { "/api/slow?ms=3000", "/api/drip?n=300&ms=10", "/api/redirect/302?path=/public/slow?ms=3000",
        "/api/hang" }
      for _, path in ipairs(slow) do
        local before = core.now()
        check_error({ code = "timeout", retryable = true }, client:fetch(dev.app .. path, { timeout = 0.3 }))
        assert.is_true(core.now() - before < 2)
      end
      kept()
    end)
  end)

  describe("of a kept connection, closed at the moment of a refresh,", function()
    it("never makes libcurl send the refresh token again", function()
      local client = begin "rotating"
      assert(client:fetch_user_info()) -- there is a kept connection to the endpoint now
      clock.ahead = clock.ahead + 1700
      local fault = order({ kind = "close_kept" }, nil, "after")
      assert.is_true(client:refresh_access_token())
      assert.equal(1, sdk.refreshes(dev, "rotating"))
      for _, one in ipairs(dev:faults()) do
        assert.equal(fault.id, one.id)
        assert.equal(0, one.fired) -- the token request went on a connection of its own
      end
      assert.equal("AUTHENTICATED", client:session_state())
      -- The trap works: a request that may use the kept connection falls into it.
      assert(client:fetch_user_info())
      assert.is_true(dev:faults()[1].fired > 0)
    end)
  end)
end)

describe("a fault of the token endpoint over TLS and HTTP/2:", function()
  local dev
  local storage, clock = authgear.storage.memory(), sdk.clock()

  before_each(function()
    dev = server.shared { tls = true }
  end)

  for _, fault in ipairs(FAULTS) do
    if fault.code and fault.kind ~= "answer" then
      it(name_of(fault, "after"), function()
        local client = assert(sdk.client(dev, {
          client_id = "native", storage = storage, clock = clock, ca_file = dev.ca_file, refresh_timeout = fault.patience,
        }))
        if client:session_state() == "NO_SESSION" then
          sdk.log_in(dev, client)
        end
        clock.ahead = clock.ahead + 1700
        dev:fault {
          kind = fault.kind, when = "after", target = "token", times = ALWAYS, location = dev.other_app .. "/public/echo",
          status = fault.kind ~= "garbage" and fault.kind ~= "empty" and fault.status or nil, bytes = fault.bytes,
          retry_after = fault.retry_after,
        }
        local ok, err = client:refresh_access_token_if_needed()
        assert.is_nil(ok)
        if fault.kind == "not_http" then -- that cannot be told from a broken connection here
          assert.equal("network", err.code)
        else
          check_error(fault, ok, err)
        end
        assert.equal(1, sdk.refreshes(dev)) -- the token has been sent once, whatever libcurl may repeat
        assert.equal("AUTHENTICATED", client:session_state())
        dev:control("/faults", nil, "DELETE")
        local response = assert(client:fetch(dev.app .. "/api/hello"))
        assert.equal(200, response.status)
        assert.equal("2", response.http_version)
      end)
    end
  end
end)

describe("the time for a call", function()
  local dev, dir, clock, client, holder

  before_each(function()
    dev = server.shared()
    dir, clock = sdk.temp_dir(), sdk.clock()
    client = assert(sdk.client(dev, { clock = clock, storage = authgear.storage.file { dir = dir } }))
    sdk.log_in(dev, client)
    clock.ahead = 1700
  end)

  after_each(function()
    client:close()
    if holder then
      holder:close()
      holder = nil
    end
    files.remove(dir)
  end)

  local function ends(code, call)
    local before = core.now()
    local value, err = call()
    assert.is_nil(value)
    assert.equal(code, err.code, tostring(err))
    assert.is_true(core.now() - before < 5)
    assert.equal("AUTHENTICATED", client:session_state())
    assert.equal(0, sdk.refreshes(dev))
  end

  -- True from its third asking on.
  local function patience()
    local asked = 0
    return function()
      asked = asked + 1
      return asked > 2
    end
  end

  it("includes waiting for another process's refresh, which can be cancelled", function()
    holder = assert(require("authgear.file").open { dir = dir, name = "default" })
    assert.is_true(holder:try_lock())
    ends("timeout", function()
      return client:fetch(dev.app .. "/api/hello", { timeout = 0.2 })
    end)
    ends("cancelled", function()
      return client:fetch(dev.app .. "/api/hello", { cancelled = patience() })
    end)
    holder:unlock()
    assert.equal(200, assert(client:fetch(dev.app .. "/api/hello")).status)
    assert.equal(1, sdk.refreshes(dev))
  end)

  it("includes the discovery before a refresh, which can be cancelled", function()
    client:close()
    client = assert(sdk.client(dev, { clock = clock, storage = authgear.storage.file { dir = dir } }))
    dev:fault { target = "discovery", kind = "hang", times = 2 }
    ends("timeout", function()
      return client:fetch(dev.app .. "/api/hello", { timeout = 0.2 })
    end)
    ends("cancelled", function()
      return client:fetch(dev.app .. "/api/hello", { cancelled = patience() })
    end)
    dev:control("/faults", nil, "DELETE")
    assert.equal(200, assert(client:fetch(dev.app .. "/api/hello")).status)
  end)
end)

describe("a certificate that is wrong", function()
  local dev
  local storage, clock = authgear.storage.memory(), sdk.clock()

  before_each(function()
    dev = server.shared { tls = true }
  end)

  local function open(more)
    local options = { client_id = "native", storage = storage, clock = clock, ca_file = dev.ca_file }
    for key, value in pairs(more or {}) do
      options[key] = value ~= "none" and value or nil
    end
    return assert(sdk.client(dev, options))
  end

  local function logged_in()
    local client = open()
    if client:session_state() ~= "AUTHENTICATED" then
      sdk.log_in(dev, client)
    end
    return client
  end

  local function refused(...)
    check_error({ code = "tls", retryable = false }, ...)
  end

  for _, what in ipairs { "wrong_name", "expired", "self_signed" } do
    it("(" .. what .. ") is refused by fetch, discovery and refresh, and the session stays", function()
      local client = logged_in()
      refused(client:fetch(dev.tls[what] .. "/api/hello"))
      refused(open({ endpoint = dev.tls[what], storage = "memory" }):start_authentication {
        redirect_uri = sdk.REDIRECT_URI })
      dev:fault { target = "discovery", kind = "patch", patch = { token_endpoint = dev.tls[what] .. "/oauth2/token" } }
      clock.ahead = clock.ahead + 1700
      local other = open()
      refused(other:refresh_access_token_if_needed())
      assert.equal("AUTHENTICATED", other:session_state())
      assert.is_true(client:refresh_access_token_if_needed())
      assert.equal(1, sdk.refreshes(dev))
      assert.equal(200, assert(client:fetch(dev.app .. "/api/hello")).status)
    end)
  end

  it("(an authority that nobody trusts) is refused", function()
    logged_in()
    clock.ahead = clock.ahead + 1700
    local stranger = open { ca_file = "none" }
    refused(stranger:refresh_access_token_if_needed())
    refused(stranger:fetch(dev.app .. "/api/hello"))
    assert.equal("AUTHENTICATED", stranger:session_state())
    assert.equal(0, sdk.refreshes(dev))
  end)
end)

describe("a refresh that has been sent", function()
  local dev, dir

  before_each(function()
    dev = server.shared()
    dir = sdk.temp_dir()
  end)

  after_each(function()
    files.remove(dir)
  end)

  local function stored_print()
    return sdk.fingerprint(assert(sdk.refresh_token(files.read(sdk.record_path(dir)))))
  end

  local function rotated()
    return dev:log({ target = "token", event = "rotated" })[1]
  end

  it("is stored though its caller's time is over", function()
    local clock = sdk.clock()
    local client = assert(sdk.client(dev, {
      client_id = "rotating", clock = clock, storage = authgear.storage.file { dir = dir },
    }))
    sdk.log_in(dev, client)
    clock.ahead = 1700
    dev:fault { target = "token", kind = "slow", when = "after", ms = 600 }
    local response, err = client:fetch(dev.app .. "/api/hello", { timeout = 0.2 })
    check_error({ code = "timeout", retryable = true }, response, err)
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    assert.equal(rotated().new, stored_print())
    assert.equal(0, #dev:log { target = "app", event = "received" })
    assert.equal(200, assert(client:fetch(dev.app .. "/api/hello")).status)
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    client:close()
  end)

  -- The child is the plain interpreter, which raises "interrupted!" from a hook when it gets SIGINT.
  local CHILD = [[
    local authgear = require "authgear"
    local client = assert(authgear.new {
      endpoint = %q, client_id = "rotating", storage = authgear.storage.file { dir = %q },
    })
    say "ready"
    hear()
    local ok, err = pcall(function()
      return client:%s
    end)
    say(tostring(ok))
    say((tostring(err):gsub("\n.*", "")))
    say(client:session_state())
    local again = client:refresh_access_token_if_needed()
    say(tostring(again))
    hear()
  ]]

  local function interrupt(call, when)
    local child = files.child(CHILD:format(dev.endpoint, dir, call))
    assert.equal("ready", child:hear())
    child:say ""
    sdk.poll("the request", when)
    files.sh("kill -INT", child.pid)
    local ok, err, state, again = child:hear(), child:hear(), child:hear(), child:hear()
    child:finish()
    return ok, err, state, again
  end

  local function log_in()
    local client = assert(sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } }))
    sdk.log_in(dev, client)
    return client
  end

  it("is stored though Ctrl-C was pressed meanwhile, which is raised afterwards", function()
    log_in():close()
    dev:fault { target = "token", kind = "slow", when = "after", ms = 700 }
    local ok, err, state, again = interrupt("refresh_access_token()", rotated)
    assert.equal("false", ok)
    assert.truthy(err:find("interrupted", 1, true), err)
    assert.equal(rotated().new, stored_print())
    assert.equal("AUTHENTICATED", state)
    assert.equal("true", again)
    assert.equal(1, sdk.refreshes(dev, "rotating"))
  end)

  it("is the only thing that Ctrl-C waits for", function()
    log_in():close()
    local ok, err, state, again = interrupt(("fetch(%q)"):format(dev.app .. "/api/slow?ms=8000"), function()
      return dev:log({ target = "app", event = "received" })[1]
    end)
    assert.equal("false", ok)
    assert.truthy(err:find("interrupted", 1, true), err)
    assert.equal("AUTHENTICATED", state)
    assert.equal("true", again)
    assert.equal(0, #dev:log { target = "app", event = "acted" }) -- it did not wait for the answer
  end)
end)
