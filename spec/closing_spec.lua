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

-- A program that has a refresh out, and then does what `ending` says. It prints when, or "late" if the answer was there first.
local PROGRAM = [[
local endpoint, dir, app, control, close_timeout = ...
local authgear = require "authgear"
local http = require "spec.support.http"
local client = assert(authgear.new { endpoint = endpoint, client_id = "rotating", proxy = "",
  storage = authgear.storage.file { dir = dir }, close_timeout = tonumber(close_timeout) })
assert(client:session_state() == "AUTHENTICATED")
local other = authgear.async(client.fetch, client, app .. "/public/hang")
local handle = authgear.async(client.refresh_access_token, client)
repeat
  handle:wait(0.01)
until handle:done() or http.request({ url = control .. "/log?target=token&event=received" }).body:find "refresh_token"
io.write(handle:done() and "late" or require("authgear.core").now(), " ")
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
    return program.run(PROGRAM:format(ending), { args = { dev.endpoint, dir, dev.app, dev.control_url, close_timeout } })
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
      local ms = 500
      local out, before
      repeat -- on a machine that stands still for so long, with more time
        before = stored()
        dev:reset()
        dev:fault { target = "token", kind = "slow", ms = ms, when = "after" }
        out = run(ending)
        ms = ms * 4
      until not out:find "^late" or ms > 60000
      assert.truthy(out:find "^%d", out)
      assert.not_equal(before, stored())
      assert.equal(1, sdk.refreshes(dev, "rotating"))
      assert_alive()
    end)
  end

  it("waits no longer than close_timeout", function()
    dev:fault { target = "token", kind = "hang" }
    local ended = tonumber(run("", 0.2))
    assert.is_true(core.now() - ended < 4) -- unless told it would be five seconds
    dev:reset()
    assert_alive()
  end)

  it("waits for nothing that was not sent", function()
    local out = program.run([[
      local app = ...
      local authgear = require "authgear"
      local client = assert(authgear.new { endpoint = "http://127.0.0.1:1", client_id = "x", proxy = "" })
      local handle = authgear.async(client.fetch, client, app .. "/public/hang")
      authgear.async(authgear.sleep, 60)
      handle:wait(0.1)
      io.write((require("authgear.core").now()))
    ]], { args = { dev.app } })
    assert.is_true(core.now() - tonumber(out) < 4) -- which is less than what a token request may be waited for
  end)
end)
