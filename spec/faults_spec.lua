-- What breaks at the server: each fault of the development server, at each endpoint, before and after the server has
-- acted, gives a clear code, and costs nobody the login (laws 4 and 5). What breaks on the wire: faults_wire_spec.lua.
-- takes: 16

local authgear = require "authgear"
local core = require "authgear.core"
local known = require "spec.support.faults"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local ALWAYS, FAULTS, check_error = known.ALWAYS, known.list, known.check_error

-- To what only reads, the two moments look the same: on one Lua they are both tried all the same.
local VERSION = rawget(_G, "jit") and "jit" or _VERSION:match "%d%.%d"
local READING = (os.getenv "AUTHGEAR_SOAK" or VERSION == "5.4") and { "before", "after" } or { "before" }

local ONLY_AFTER = { truncate = true, drip = true, patch = true }

-- Runs `case` for each fault at each moment that there is.
local function each(faults, moments, case)
  for _, fault in ipairs(faults) do
    for _, when in ipairs((ONLY_AFTER[fault.kind] and moments == READING) and { "after" } or moments) do
      if when == "after" or not ONLY_AFTER[fault.kind] then
        it(known.name_of(fault, when), function()
          case(fault, when)
        end)
      end
    end
  end
end

describe("a fault", function()
  local dev, storage, clock
  local opened = {}

  before_each(function()
    dev = server.shared()
  end)

  after_each(function()
    while opened[1] do
      table.remove(opened):close()
    end
  end)

  local function open(client_id, fault)
    local patience = fault and fault.patience
    local client, seen = assert(sdk.client(dev, {
      client_id = client_id, storage = storage, clock = clock, retry = false, timeout = patience, refresh_timeout = patience,
      max_connections = 15, -- so that its connections are shared by nobody who outlives the case
    }))
    opened[#opened + 1] = client
    return client, seen
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
    clock.ahead = clock.ahead + (fault.retry_after or 1) -- before that nobody asks again
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

    -- The one window: the server has rotated, and its answer never came. The next refresh is told. An answer that came and
    -- was no good brought a refresh token all the same: nothing is lost.
    each(TOKEN_FAULTS, { "after" }, function(fault, when)
      local client = refresh_under("rotating", fault, when)
      if not fault.code or (fault.patch and not fault.patch.refresh_token) then
        assert.equal(fault.code and 1 or 0, works_again("rotating", client))
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
