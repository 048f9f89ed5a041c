-- takes: 6
-- One refresh (law 6), for processes that are full of tasks: eight of them with one file, a hundred coroutines each.
local authgear = require "authgear"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"

local PROCESSES, TASKS = 8, 100

-- Says "ready", waits for a line, then has all its tasks call at once.
local WORKER = [[
local authgear = require "authgear"
local client = assert(authgear.new { endpoint = %q, client_id = "rotating", proxy = "",
  storage = authgear.storage.file { dir = %q } })
local list = {}
for i = 1, %d do
  list[i] = function()
    local ok, err = client:refresh_access_token_if_needed()
    if not ok then
      return nil, err
    end
    return client:fetch(%q)
  end
end
say "ready"
hear()
local results, errs = authgear.all(list):wait()
local good = 0
for i = 1, #list do
  if results[i] and results[i].status == 200 then
    good = good + 1
  end
end
say(good .. " " .. tostring(errs and select(2, next(errs))) .. " " .. client:session_state())
]]

describe("eight processes with a hundred coroutines each", function()
  it("make one refresh at expiry, and all are served", function()
    local dev, dir = server.shared(), sdk.temp_dir()
    local client = assert(sdk.client(dev, { client_id = "rotating", storage = authgear.storage.file { dir = dir } }))
    sdk.log_in(dev, client)
    client:close()
    local store = assert(require("authgear.file").open { dir = dir, name = "default" })
    local record, count = assert(store:get()):gsub('"expires_in_ms":%d+', '"expires_in_ms":0')
    assert.equal(1, count)
    assert(store:set(record))
    store:close()
    local children = {}
    for i = 1, PROCESSES do
      children[i] = files.child(WORKER:format(dev.endpoint, dir, TASKS, dev.app .. "/api/hello"))
    end
    for _, child in ipairs(children) do
      assert.equal("ready", child:hear())
    end
    local before = sdk.refreshes(dev, "rotating")
    for _, child in ipairs(children) do
      child:say "go"
    end
    for _, child in ipairs(children) do
      assert.equal(TASKS .. " nil AUTHENTICATED", child:hear())
      child:finish()
    end
    assert.equal(before + 1, sdk.refreshes(dev, "rotating"))
    assert.equal(1, dev:token_count("refresh_token", "rotating").rotated)
    files.remove(dir)
  end)
end)
