-- takes: 8
-- A process that is killed in the middle of an anonymous log-in, a log-out or a promotion: afterwards somebody is logged in
-- or cleanly nobody, and a device key that was stored is there and is still its user's.

local authgear = require "authgear"
local file = require "authgear.file"
local files = require "spec.support.files"
local kills = require "spec.support.kills"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local with = require "spec.support.with"

local test = file.test

describe("a process killed", function()
  local dev, dir

  before_each(function()
    dev, dir = server.shared(), sdk.temp_dir()
  end)

  after_each(function()
    test.fault()
    files.remove(dir)
  end)

  local function open(more)
    return (sdk.client(dev, with({ storage = authgear.storage.file { dir = dir } }, more)))
  end

  local function clear()
    files.sh("rm -f -- " .. files.quote(dir) .. "/*")
  end

  local function record()
    return files.read(sdk.record_path(dir)) or ""
  end

  local function key()
    return record():match '"anonymous_key":"([^"]+)"'
  end

  -- What a fresh process finds: the key as it was, a session that works or none, and one user for good.
  local function check(where, before)
    local stored = key()
    assert.equal(before or stored, stored, where)
    local client = assert(open(), where)
    local sub
    if client:session_state() == "AUTHENTICATED" then
      sub = assert(client:fetch(dev.app .. "/api/hello"), where):json().hello
    end
    local info = assert(client:authenticate_anonymously(), where)
    assert.is_true(sub == nil or sub == info.sub, where)
    assert.is_true(stored == nil or stored == key(), where)
    assert(client:logout())
    assert.equal(info.sub, assert(client:authenticate_anonymously()).sub, where)
    client:close()
    return stored, sub
  end

  it("in the first anonymous log-in leaves a key or none, and never a session without its key", function()
    local without, keyed, logged_in = 0, 0, 0
    kills.everywhere(open, clear, function(client)
      assert(client:authenticate_anonymously())
    end, function(where)
      local stored, sub = check(where)
      assert.is_true(sub == nil or stored ~= nil, where)
      without, keyed, logged_in = without + (stored and 0 or 1), keyed + (stored and not sub and 1 or 0), logged_in + (sub and 1 or 0)
    end)
    assert.is_true(without > 0 and keyed > 0 and logged_in > 0)
  end)

  it("at each system call of the file store in the first anonymous log-in does so, too", function()
    local function count()
      clear()
      local client = open()
      test.fault { nth = 0 }
      assert(client:authenticate_anonymously())
      local calls = test.count()
      test.fault()
      client:close()
      return calls
    end
    local calls = count()
    assert.is_true(calls > 10)
    local step = os.getenv "AUTHGEAR_SOAK" and 1 or _VERSION == "Lua 5.4" and 2 or 7
    for nth = 1, calls, step do
      for _, moment in ipairs { "before", "after" } do
        local where = ("killed %s call %d of %d"):format(moment, nth, calls)
        clear()
        local status = kills.in_child(function()
          local client = assert(open())
          test.fault { nth = nth, kill = moment }
          assert(client:authenticate_anonymously())
        end)
        assert.is_nil(status, where)
        check(where)
      end
    end
  end)

  it("in a later log-in, or a log-out, leaves the key", function()
    local before
    local function begin()
      clear()
      local client = open()
      assert(client:authenticate_anonymously())
      before = key()
      client:close()
    end
    for _, call in ipairs { "logout", "authenticate_anonymously" } do
      kills.everywhere(open, begin, function(client)
        assert(client[call](client))
      end, function(where)
        check(call .. ", " .. where, before)
      end)
    end
  end)

  it("in a promotion leaves the anonymous session with its key, or the new one without", function()
    local location, sub, before
    local serial, kept, done = 0, 0, 0
    kills.everywhere(open, function()
      clear()
      serial = serial + 1 -- here, since what a child counts is gone with it
    end, function(client)
      sub = assert(client:authenticate_anonymously()).sub
      local request = assert(client:start_promotion { redirect_uri = sdk.REDIRECT_URI })
      dev:login { user = "kill-" .. serial }
      location = dev:visit(request.url).location
      before = key()
      assert.is_true(client:finish_promotion(location).sub == sub)
    end, function(where)
      local client = assert(open(), where)
      local is_there = client:session_state() == "AUTHENTICATED"
      if is_there then
        assert.equal(200, client:fetch(dev.app .. "/api/hello").status, where)
      end
      kept, done = kept + (key() and 1 or 0), done + (is_there and not key() and 1 or 0)
      assert.is_true(is_there or client:session_state() == "NO_SESSION", where)
      assert(client:logout())
      assert(client:authenticate_anonymously(), where)
      client:close()
    end)
    assert.is_string(before)
    assert.is_true(kept > 0 and done > 0)
  end)
end)
