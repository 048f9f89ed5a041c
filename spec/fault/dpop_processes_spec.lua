-- Processes that share a session file with DPoP: whoever needs the key first makes it, the others use it; who is killed while
-- making it, or between the key and the tokens, leaves all of it behind or nothing. Each goes on with what is stored.
-- takes: 8

local authgear = require "authgear"
local file = require "authgear.file"
local files = require "spec.support.files"
local http = require "spec.support.http"
local kills = require "spec.support.kills"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local test = file.test
local SIGKILL = 9
local STEP = os.getenv "AUTHGEAR_SOAK" and 1 or _VERSION == "Lua 5.4" and 2 or 5 -- each kill takes a process
local PROCESSES = 12
local LOCK_TIMEOUT = os.getenv "AUTHGEAR_WATCHED" and 600 or nil -- a dozen processes wait for longer under what makes them slow

describe("with DPoP", function()
  local dev, dir, clock

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dir, clock = sdk.temp_dir(), sdk.clock()
  end)

  after_each(function()
    test.fault()
    files.remove(dir)
  end)

  local function open(full)
    local options = { clock = clock, storage = authgear.storage.file { dir = dir }, dpop = true, lock_timeout = LOCK_TIMEOUT }
    if full then
      options.endpoint, options.client_id, options.scopes = dev.strict.endpoint, "strict", { "openid", "offline_access" }
    else
      options.client_id = "rotating"
    end
    return assert(sdk.client(dev, options))
  end

  -- Runs fn(i) in that many processes at once, all of which must end well.
  local function in_processes(n, fn)
    local pids = {}
    for i = 1, n do
      pids[i] = kills.fork(function()
        sdk.poll("the start", function()
          return files.read(dir .. "/start")
        end)
        fn(i)
      end)
    end
    files.write(dir .. "/start", "")
    for _, pid in ipairs(pids) do
      assert.equal(0, (test.wait(pid)))
    end
    os.remove(dir .. "/start")
  end

  local function stored(name)
    local record = files.read(sdk.record_path(dir))
    return record and record:match('"' .. name .. '":"([^"]+)"')
  end

  local function start(client)
    local request = assert(client:start_authentication { redirect_uri = sdk.REDIRECT_URI, prompt = "consent" })
    return request, http.query(request.url).dpop_jkt
  end

  local function log_in(client)
    assert(client:finish_authentication(dev:visit(start(client).url).location))
  end

  local function check_proofs()
    local seen, n = {}, 0
    for _, event in ipairs(dev:log { event = "received" }) do
      if event.proof then
        assert.is_nil(seen[event.proof.jti], "a jti was used twice")
        seen[event.proof.jti] = true
        assert.equal(stored "dpop_jkt", event.proof.jkt)
        n = n + 1
      end
    end
    return n
  end

  it("many processes that need the key at once make one", function()
    in_processes(PROCESSES, function(i)
      local _, jkt = start(open())
      files.write(dir .. "/jkt" .. i, jkt)
    end)
    local first = files.read(dir .. "/jkt1")
    assert.equal(43, #first)
    for i = 2, PROCESSES do
      assert.equal(first, files.read(dir .. "/jkt" .. i))
    end
    local client = open()
    log_in(client)
    assert.equal(first, stored "dpop_jkt")
  end)

  for name, full in pairs { Authgear = false, ["a provider with the whole of it"] = true } do
    it("many processes share one session at " .. name, function()
      log_in(open(full))
      dev:reset()
      clock.ahead = 1700
      in_processes(PROCESSES, function()
        local client = open(full)
        local url = full and dev.strict.app .. "/hello" or dev.app .. "/api/hello"
        for _ = 1, 3 do
          assert(client:fetch(url).status == 200)
        end
      end)
      local refreshed = 0
      for _, event in ipairs(dev:log { target = "token", event = "answered" }) do
        refreshed = refreshed + (event.status == 200 and 1 or 0)
      end
      assert.equal(1, refreshed)
      assert.is_true(check_proofs() >= (full and 3 * PROCESSES or 1))
      local client = open(full)
      assert(client:refresh_access_token())
      assert.equal("AUTHENTICATED", client:session_state())
    end)
  end

  -- Kills fn's process before and after each system call of the file store; check(where) looks at what is left.
  local function kill_everywhere(prepare, fn, check)
    prepare()
    fn(open()) -- the lock's file is there from now on
    prepare()
    local first = open()
    test.fault { nth = 0 }
    fn(first)
    local calls = test.count()
    test.fault()
    assert.is_true(calls > 10)
    for nth = 1, calls, STEP do
      for _, moment in ipairs { "before", "after" } do
        local where = ("killed %s call %d of %d"):format(moment, nth, calls)
        prepare()
        local status, signal = test.wait(kills.fork(function()
          local client = open()
          test.fault { nth = nth, kill = moment }
          fn(client)
        end))
        assert.same({ nil, SIGKILL }, { status, signal }, where)
        check(where)
      end
    end
    return calls
  end

  it("a process that is killed while it makes the key leaves a whole one or none", function()
    local whole, none = 0, 0
    kill_everywhere(function()
      os.remove(sdk.record_path(dir))
    end, start, function(where)
      local key = stored "dpop_key"
      whole, none = whole + (key and 1 or 0), none + (key and 0 or 1)
      local client = open()
      local _, jkt = start(client)
      assert.equal(43, #jkt, where)
      assert.is_true(key == nil or key == stored "dpop_key", where)
      client:close()
    end)
    assert.is_true(whole > 0 and none > 0)
    local client = open()
    log_in(client)
    assert(client:refresh_access_token())
  end)

  it("a process that is killed between the key and the tokens leaves the key, and what it is bound to", function()
    local key
    kill_everywhere(function()
      os.remove(sdk.record_path(dir))
      start(open())
      key = stored "dpop_key"
    end, log_in, function(where)
      assert.equal(key, stored "dpop_key", where)
      local client = open()
      if client:session_state() ~= "AUTHENTICATED" then
        assert.is_nil(stored "dpop_jkt", where)
        log_in(client)
      end
      assert(client:refresh_access_token())
      assert.equal(key, stored "dpop_key", where)
      client:close()
    end)
  end)
end)
