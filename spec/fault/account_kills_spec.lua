-- A process that is killed (SIGKILL) in the middle of a reauthentication, an ID token's refresh, an account's deletion or an exchange for
-- a URL: before and after each system call of its file store. The next start is logged in, with a session that works, or cleanly not.
-- takes: 14

local authgear = require "authgear"
local file = require "authgear.file"
local files = require "spec.support.files"
local kills = require "spec.support.kills"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local test = file.test
local SIGKILL = 9
local WEB = { web_application_client_id = "webapp", web_application_uri = sdk.REDIRECT_URI }

-- Each kill takes a process: without AUTHGEAR_SOAK every fourth call has to do, and on other Luas than one every twelfth.
local STEP = os.getenv "AUTHGEAR_SOAK" and 1 or _VERSION == "Lua 5.4" and 4 or 12

-- What is done up to the moment that matters; the rest is done with the store's calls counted.
local FLOWS = {
  reauthentication = function(dev, client)
    local request = assert(client:start_reauthentication { redirect_uri = sdk.REDIRECT_URI })
    local url = dev:visit(request.url).location
    return function() return client:finish_reauthentication(url) end
  end,
  ["ID token's refresh"] = function(_, client)
    return function() return client:refresh_id_token() end
  end,
  ["account's deletion"] = function(dev, client)
    local request = assert(client:start_settings_action("delete_account", { redirect_uri = sdk.REDIRECT_URI }))
    local url = dev:visit(request.url).location
    return function() return client:finish_settings_action(url) end
  end,
  ["exchange for a URL"] = function(_, client)
    return function() return client:make_pre_authenticated_url(WEB) end
  end,
}

describe("a process that is killed in", function()
  local dev, dir, sub

  before_each(function()
    dev = server.shared()
    dev:reset { sessions = true }
    dir = sdk.temp_dir()
  end)

  after_each(function()
    test.fault()
    files.remove(dir)
  end)

  local function open()
    return sdk.client(dev, { storage = authgear.storage.file { dir = dir }, pre_authenticated_url_enabled = true })
  end

  local function log_in()
    local client = assert(open())
    sub = sdk.log_in(dev, client).sub
    client:close()
  end

  -- Runs the flow with this fault armed where it matters; how many calls of the store it made.
  local function run(flow, fault)
    local client = assert(open())
    local finish = FLOWS[flow](dev, client)
    test.fault(fault)
    assert(finish())
    local calls = test.count()
    test.fault()
    client:close()
    return calls
  end

  -- As the next start finds it: a session that works, of the same user.
  local function check_alive(where)
    local client, seen = open()
    assert(client, where)
    assert.same({ "AUTHENTICATED FOUND_TOKEN" }, seen, where)
    assert.is_true(client:refresh_access_token(), where)
    assert.equal("AUTHENTICATED", client:session_state(), where)
    assert.equal(sub, assert(client:fetch_user_info()).sub, where)
    assert.is_true(client:refresh_id_token(), where)
    local url, err = client:make_pre_authenticated_url(WEB)
    client:close()
    assert.is_true(url ~= nil or err.oauth_error == "invalid_grant", where .. ": " .. tostring(err))
    return url ~= nil
  end

  -- The account is gone: so is the session, or the server's next word ends it.
  local function check_gone(where)
    local client, seen = open()
    assert(client, where)
    if client:session_state() == "AUTHENTICATED" then
      assert.is_true(client:refresh_access_token(), where)
      assert.equal("NO_SESSION INVALID", seen[#seen], where)
    end
    assert.equal("NO_SESSION", client:session_state(), where)
    client:close()
    return true
  end

  for flow in pairs(FLOWS) do
    local deletes, exchanges = flow:find "deletion" ~= nil, flow:find "exchange" ~= nil
    it(("an %s leaves a session that works, or none"):format(flow), function()
      log_in()
      local calls, killed, lost = run(flow, { nth = 0 }), 0, 0
      assert.is_true(calls > 5, tostring(calls))
      for nth = 1, calls, STEP do
        for _, moment in ipairs { "before", "after" } do
          local where = ("%s, killed %s call %d of %d"):format(flow, moment, nth, calls)
          dev:login { user = deletes and where or "user" }
          log_in()
          local status, signal = kills.in_child(function()
            run(flow, { nth = nth, kill = moment })
          end)
          assert.is_nil(status, where)
          assert.equal(SIGKILL, signal, where)
          killed = killed + 1
          lost = lost + ((deletes and check_gone or check_alive)(where) and 0 or 1)
          for _, name in ipairs(files.list(dir)) do
            local known = name == "default.json" or name == "default.lock" or name:find("default%2flogins.", 1, true) == 1
            assert.is_true(known, where .. ": " .. name)
          end
        end
      end
      -- The device secret alone has a window, from the server's answer to the stored successor.
      assert.is_true(exchanges and lost < killed or not exchanges and lost == 0, flow .. ": " .. lost .. " of " .. killed)
    end)
  end
end)
