-- takes: 10
-- The end of the Lua state while a token request of a task is out (law 5): its answer is stored, whichever way the state
-- ends; and it is not waited for longer than close_timeout, nor anything else.
local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local program = require "spec.support.program"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local LUA51 = _VERSION == "Lua 5.1" and not rawget(_G, "jit")

-- A program that has a refresh out, and then does what `ending` says.
local PROGRAM = [[
local endpoint, dir, app, close_timeout = ...
local authgear = require "authgear"
local client = assert(authgear.new { endpoint = endpoint, client_id = "rotating", proxy = "",
  storage = authgear.storage.file { dir = dir }, close_timeout = tonumber(close_timeout) })
assert(client:session_state() == "AUTHENTICATED")
local other = authgear.async(client.fetch, client, app .. "/public/hang")
local handle = authgear.async(client.refresh_access_token, client)
handle:wait(0.3)
assert(not handle:done(), "it was not slow")
io.write "out "
io.flush()
%s
]]

describe("the end of the Lua state", function()
  local dev, dir

  before_each(function()
    dev = server.shared()
    dir = sdk.temp_dir()
    local client = assert(sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } }))
    sdk.log_in(dev, client)
    client:close()
  end)

  after_each(function()
    files.remove(dir)
  end)

  local function run(ending, close_timeout)
    return program.run(PROGRAM:format(ending), { args = { dev.endpoint, dir, dev.app, close_timeout } })
  end

  local function stored()
    return sdk.refresh_token(files.read(sdk.record_path(dir)))
  end

  -- Is the session still good for somebody who finds it there?
  local function assert_alive()
    local client = assert(sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } }))
    local ok, err = client:refresh_access_token()
    assert.is_true(ok, tostring(err))
    assert.equal("AUTHENTICATED", client:session_state())
    client:close()
  end

  local endings = {
    ["the end of the script"] = "",
    ["an error"] = "error('the end')",
    ["the client closed, and the end"] = "client:close()",
    ["everything let go, and the end"] = "client, handle, other = nil collectgarbage() collectgarbage()",
  }
  if not LUA51 then
    endings["os.exit(true, true)"] = "os.exit(true, true)"
    endings["os.exit(true, true) in a task"] = "authgear.async(function() os.exit(true, true) end) authgear.update()"
  end

  for name, ending in pairs(endings) do
    it("by " .. name .. " waits for the answer, which is stored", function()
      local before = stored()
      dev:fault { target = "token", kind = "slow", ms = 1000, when = "after" }
      local out = run(ending)
      assert.equal("out ", out:sub(1, 4), out)
      assert.not_equal(before, stored())
      assert.equal(1, sdk.refreshes(dev, "rotating"))
      assert_alive()
    end)
  end

  it("waits no longer than close_timeout", function()
    dev:fault { target = "token", kind = "hang" }
    local began = core.now()
    local out = run("", 0.2)
    assert.equal("out ", out)
    assert.is_true(core.now() - began < 4)
    dev:reset()
    assert_alive()
  end)

  it("waits for nothing that was not sent", function()
    local began = core.now()
    local out = program.run([[
      local app = ...
      local authgear = require "authgear"
      local client = assert(authgear.new { endpoint = "http://127.0.0.1:1", client_id = "x", proxy = "" })
      local handle = authgear.async(client.fetch, client, app .. "/public/hang")
      authgear.async(authgear.sleep, 60)
      handle:wait(0.1)
      io.write "out"
    ]], { args = { dev.app } })
    assert.equal("out", out)
    assert.is_true(core.now() - began < 4)
  end)
end)
