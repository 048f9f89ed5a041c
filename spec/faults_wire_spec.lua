-- What breaks between us and the server, or takes too long: the token endpoint over HTTP/2, certificates, a call's time,
-- and that a refresh that has been sent is stored whatever happens to its caller (laws 4, 5 and 8).
-- takes: 8

local authgear = require "authgear"
local core = require "authgear.core"
local faults = require "spec.support.faults"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local ALWAYS, FAULTS, check_error = faults.ALWAYS, faults.list, faults.check_error

describe("a fault of the token endpoint over TLS and HTTP/2:", function()
  local dev
  local storage, clock = authgear.storage.memory(), sdk.clock()

  before_each(function()
    dev = server.shared { tls = true }
  end)

  for _, fault in ipairs(FAULTS) do
    if fault.code and fault.kind ~= "answer" then
      it(faults.name_of(fault, "after"), function()
        local client = assert(sdk.client(dev, {
          client_id = "native", storage = storage, clock = clock, ca_file = dev.ca_file, retry = false, refresh_timeout = fault.patience,
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
        clock.ahead = clock.ahead + (fault.retry_after or 1)
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
    assert.is_true(core.now() - before < 20) -- the lock's and the request's own limits are longer
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
    assert.equal(200, sdk.hello(dev, client))
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
    assert.equal(200, sdk.hello(dev, client))
  end)
end)

describe("a certificate that is wrong", function()
  local dev
  local storage, clock = authgear.storage.memory(), sdk.clock()

  before_each(function()
    dev = server.shared { tls = true }
  end)

  local function open(more)
    local options = { client_id = "native", storage = storage, clock = clock, ca_file = dev.ca_file, retry = false }
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
      assert.equal(200, sdk.hello(dev, client))
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
    local seconds = 0.2
    repeat -- until the time is not over before the request is sent
      dev:reset()
      dev:fault { target = "token", kind = "slow", when = "after", ms = seconds * 3000 }
      local response, err = client:fetch(dev.app .. "/api/hello", { timeout = seconds })
      check_error({ code = "timeout", retryable = true }, response, err)
      seconds = seconds * 3
    until sdk.refreshes(dev, "rotating") > 0 or seconds > 20
    assert.equal(1, sdk.refreshes(dev, "rotating"))
    assert.equal(rotated().new, stored_print())
    assert.equal(0, #dev:log { target = "app", event = "received" })
    assert.equal(200, sdk.hello(dev, client))
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
