-- A process that is killed (SIGKILL) in the middle of a refresh, a log-in or a log-out: at each system call of its
-- file store, and before and after each thing that its flow asks of storage and network. Afterwards a fresh process
-- still has the login, or exactly what the server says; only where refresh tokens rotate, from the server's rotating
-- one to our storing its successor, is there a window that nobody can close.
-- takes: 17

local authgear = require "authgear"
local file = require "authgear.file"
local files = require "spec.support.files"
local kills = require "spec.support.kills"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local stores = require "spec.support.stores"
local with = require "spec.support.with"

local test = file.test
local SIGKILL = 9

-- Each kill takes a process: elsewhere than on one Lua every third call has to do.
local STEP = (os.getenv "AUTHGEAR_SOAK" or _VERSION == "Lua 5.4") and 1 or 3

describe("a process", function()
  local dev, dir, clock, kind

  before_each(function()
    kind = stores[1]
    dev = server.shared()
    dir, clock = sdk.temp_dir(), sdk.clock()
  end)

  after_each(function()
    test.fault()
    files.remove(dir)
  end)

  local function open(client_id, more)
    return sdk.client(dev, with({
      client_id = client_id, clock = clock, storage = authgear.storage.file { dir = dir, key = kind.key },
    }, more))
  end

  local function stored_token()
    local store = kind.open { dir = dir }
    local record = store:get()
    store:close()
    return sdk.refresh_token(record)
  end

  -- Did the server rotate the token that was stored `before`, and its successor was not stored?
  local function in_window(before)
    return stored_token() == before and #dev:log { target = "token", event = "rotated" } > 0
  end

  -- A fresh process's view: the login is there and works, or it is lost by the window alone.
  local function check_login(client_id, before, where)
    local lost = in_window(before)
    local client, seen = open(client_id)
    assert(client, where)
    assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen, where)
    local response = assert(client:fetch(dev.app .. "/api/hello"))
    if lost then
      assert.same({ "AUTHENTICATED FOUND_TOKEN", "NO_SESSION INVALID" }, seen, where)
      sdk.log_in(dev, client)
    else
      assert.equal(200, response.status, where)
      assert.equal("AUTHENTICATED", client:session_state(), where)
    end
    client:close()
    return lost
  end

  local function log_in(client_id)
    local client = open(client_id)
    sdk.log_in(dev, client)
    client:close()
  end

  -- How many calls a refresh makes.
  local function count_calls(client_id)
    clock.ahead = clock.ahead + 1700
    local client = open(client_id)
    test.fault { nth = 0 }
    assert.is_true(client:refresh_access_token_if_needed())
    local calls = test.count()
    test.fault()
    client:close()
    return calls
  end

  describe("killed at a system call of its file store, in a refresh,", function()
    local function refresh(client_id, fault)
      return function()
        local client = assert(open(client_id))
        test.fault(fault)
        assert(client:refresh_access_token_if_needed())
      end
    end

    local function kill_everywhere(client_id, step)
      log_in(client_id)
      local calls, losses = count_calls(client_id), 0
      assert.is_true(calls > 10)
      for nth = 1, calls, step or STEP do
        for _, moment in ipairs { "before", "after" } do
          local where = ("killed %s call %d of %d"):format(moment, nth, calls)
          dev:reset()
          clock.ahead = clock.ahead + 1700
          local before = stored_token()
          local status, signal = kills.in_child(refresh(client_id, { nth = nth, kill = moment }))
          assert.is_nil(status, where)
          assert.equal(SIGKILL, signal, where)
          losses = losses + (check_login(client_id, before, where) and 1 or 0)
        end
        assert.same("default%2flogins.lock default.json default.lock", table.concat(files.list(dir), " "), nth) -- and nothing else
      end
      return losses, calls
    end

    it("never loses the login where refresh tokens don't rotate", function()
      assert.equal(0, (kill_everywhere "native"))
    end)

    it("never loses it from an encrypted file, nor from a plain one that becomes one", function()
      log_in "native"
      assert.truthy(stored_token())
      kind = stores[2] -- the first of the refreshes seals it
      assert.equal(0, (kill_everywhere("native", 4)))
      assert.is_nil(files.read(sdk.record_path(dir)):find("token", 1, true))
    end)

    it("loses it in the window alone where they do", function()
      local losses, calls = kill_everywhere "rotating"
      print(("killed before and after each of %d system calls of a refresh: %d of %d in the window"):format(
        math.ceil(calls / STEP), losses, 2 * math.ceil(calls / STEP)))
      assert.is_true(losses > 0 and losses < calls)
    end)
  end)

  describe("whose file store's system calls fail in a refresh", function()
    -- Where memory outlives the failure nothing is lost even where refresh tokens rotate: what the server gave is kept
    -- and stored with the next call.
    for how, times in pairs { once = 1, ["from there on"] = 1e6 } do
      it("(one of them, " .. how .. ") loses nothing", function()
        log_in "rotating"
        local calls = count_calls "rotating"
        for nth = 1, calls, STEP do
          local where = ("call %d of %d failed %s"):format(nth, calls, how)
          dev:reset()
          clock.ahead = clock.ahead + 1700
          local client, seen = open "rotating"
          assert(client, where)
          test.fault { nth = nth, times = times, errno = nth % 2 == 0 and "EIO" or "ENOSPC" }
          local ok, err = client:refresh_access_token_if_needed()
          test.fault()
          assert.is_true(ok or err.code == "storage" or err.code == "lock_timeout", where .. ": " .. tostring(err))
          assert.equal("AUTHENTICATED", client:session_state(), where)
          local response = assert(client:fetch(dev.app .. "/api/hello"))
          assert.equal(200, response.status, where)
          assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen, where)
          local count = dev:token_count("refresh_token", "rotating")
          assert.same({ 1, 1 }, { count.requests, count.ok }, where)
          client:close()
          assert.is_false(check_login("rotating", nil, where))
        end
      end)
    end
  end)

  describe("killed before or after what its flow asks for,", function()
    local function kill_everywhere(client_id, begin, fn, check)
      return kills.everywhere(function(options)
        return open(client_id, options)
      end, function()
        dev:reset()
        begin()
      end, fn, check)
    end

    local function grow_old(client_id)
      local fresh = open(client_id)
      if fresh:session_state() ~= "AUTHENTICATED" then
        sdk.log_in(dev, fresh)
      end
      fresh:close()
      clock.ahead = clock.ahead + 1700
    end

    for client_id, rotates in pairs { native = false, rotating = true } do
      it("a refresh of " .. client_id .. " loses nothing outside the window", function()
        local before, losses = nil, 0
        kill_everywhere(client_id, function()
          grow_old(client_id)
          before = stored_token()
        end, function(client)
          assert(client:refresh_access_token_if_needed())
        end, function(where)
          losses = losses + (check_login(client_id, before, where) and 1 or 0)
        end)
        -- Where nothing is in the way, it is open after the answer and before the record is set.
        assert.equal(rotates and 2 or 0, losses)
      end)
    end

    it("a log-in leaves either the old session or the new one", function()
      local before, kept, new = nil, 0, 0
      kill_everywhere("native", function()
        grow_old "native"
        before = stored_token()
      end, function(client)
        sdk.log_in(dev, client)
      end, function(where)
        if stored_token() == before then
          kept = kept + 1
        else
          new = new + 1
        end
        assert.is_false(check_login("native", before, where))
      end)
      assert.is_true(kept > 0 and new > 0)
    end)

    it("a log-out leaves a session, or none, and never half of one", function()
      local kept, ended = 0, 0
      kill_everywhere("native", function()
        grow_old "native"
      end, function(client)
        assert(client:logout())
      end, function(where)
        local client = assert(open "native", where)
        local response = assert(client:fetch(dev.app .. "/api/hello"))
        local there = client:session_state() == "AUTHENTICATED"
        assert.equal(there and 200 or 401, response.status, where)
        if there then
          kept = kept + 1
        else
          ended = ended + 1
        end
        assert.is_true(client:logout()) -- and it can be ended again
        assert.equal("NO_SESSION", client:session_state())
        client:close()
      end)
      assert.is_true(kept > 0 and ended > 0)
    end)
  end)
end)
