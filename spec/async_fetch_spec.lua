-- takes: 15
-- Calls inside tasks, at the development server: they wait without blocking, share one refresh, can be cancelled at any
-- moment, and streams wait for whoever takes them.
local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local scheduler = require "authgear.scheduler"
local sdk = require "spec.support.sdk"
local server = require "spec.support.server"
local steady = require "spec.support.steady"

local SOAK = os.getenv "AUTHGEAR_SOAK"
local MIB = 1024 * 1024

local function lua_kb()
  if rawget(_G, "jit") then
    require("jit").flush() -- what it has compiled counts too, and grows with each new way through the code
  end
  collectgarbage()
  collectgarbage()
  return collectgarbage "count"
end

describe("in a task", function()
  local dev, client, storage

  before_each(function()
    dev = server.shared()
    storage = authgear.storage.memory()
    client = assert(sdk.client(dev, { client_id = "rotating", storage = storage }))
    sdk.log_in(dev, client)
  end)

  after_each(function()
    assert.equal(0, authgear.update())
    assert.equal(0, scheduler.engine and scheduler.engine:running() or 0)
    client:close()
  end)

  local function in_task(fn, ...)
    return authgear.async(fn, ...):wait()
  end

  -- The session's token is old, as this client sees it.
  local function expire()
    sdk.grow_old(storage)
    assert(client:session_state())
  end

  local function refreshes()
    return sdk.refreshes(dev, "rotating")
  end

  -- Has the tasks go on until the server holds a request, and lets it go.
  local function release()
    sdk.poll("a request that is held", function()
      authgear.update()
      return dev:control("/release", {}).released > 0
    end)
  end

  it("fetch sends nothing once update's budget is spent, and with the next update", function()
    in_task(client.fetch, client, dev.app .. "/api/hello") -- the engine is there, and what a fetch loads
    local cancelled_at
    local function late(fetch_init)
      local until_then = core.clock() + 0.002
      repeat until core.clock() >= until_then
      return client:fetch(dev.app .. "/api/hello", fetch_init)
    end
    for _, init in ipairs { {}, { headers = { ["User-Agent"] = "its own" } } } do -- the short way, and by a flow
      local handle = authgear.async(late, init)
      authgear.update(0.001)
      assert.equal(0, scheduler.engine:running())
      assert.is_false(handle:done())
      authgear.update(1000)
      assert.is_true(handle:done() or scheduler.engine:running() == 1) -- it may be answered already
      assert.equal(200, handle:wait().status)
    end
    local handle = authgear.async(function()
      local response, err = late()
      cancelled_at = err.code
      return response
    end)
    authgear.update(0.001)
    handle:cancel()
    authgear.update()
    assert.equal(0, scheduler.engine:running())
    assert.equal("cancelled", cancelled_at)
  end)

  it("fetch gives what it gives outside", function()
    local response, err = in_task(client.fetch, client, dev.app .. "/api/echo", { json = { a = 1 }, query = { q = "x" } })
    assert.truthy(response, tostring(err))
    assert.equal(200, response.status)
    assert.equal("x", response:json().query.q)
    response = in_task(client.fetch, client, dev.app .. "/api/hello")
    assert.equal(200, response.status)
    response = in_task(client.fetch, client, dev.app .. "/public/redirect/302?n=3")
    assert.equal(200, response.status)
    local nothing, none = in_task(client.fetch, client, "http://127.0.0.1:1/")
    assert.is_nil(nothing)
    assert.equal("network", none.code)
  end)

  it("a whole log-in, user info and log-out work", function()
    local other = assert(sdk.client(dev, { client_id = "rotating" }))
    local info = in_task(function()
      local request = assert(other:start_authentication { redirect_uri = sdk.REDIRECT_URI })
      assert(other:finish_authentication(dev:visit(request.url).location))
      local info = assert(other:fetch_user_info())
      assert(other:logout())
      return info
    end)
    assert.is_string(info.sub)
    assert.equal("NO_SESSION", other:session_state())
    other:close()
  end)

  it("many fetches go on at a time", function()
    dev:fault { target = "app", kind = "hold", times = 20 }
    local list = {}
    for i = 1, 20 do
      list[i] = function()
        return client:fetch(dev.app .. "/public/hello")
      end
    end
    local all = authgear.all(list)
    sdk.poll("all of them at the server", function()
      authgear.update()
      return #dev:log { event = "received", target = "app" } == 20
    end)
    dev:release()
    local results, errs = all:wait()
    assert.is_nil(errs)
    assert.equal(200, results[20].status)
  end)

  it("a thousand coroutines at expiry make one refresh", function()
    expire()
    local before = refreshes()
    local list, seen = {}, {}
    for i = 1, 1000 do
      list[i] = function()
        local ok, err = client:refresh_access_token_if_needed()
        seen[client:access_token()] = true
        return ok, err
      end
    end
    local results, errs = authgear.all(list):wait()
    assert.is_nil(errs)
    assert.is_true(results[1000])
    assert.equal(before + 1, refreshes())
    seen = next(seen) and next(seen, next(seen))
    assert.is_nil(seen, "not all saw one token")
  end)

  it("a hundred fetches at expiry make one refresh, and all are answered with the new token", function()
    expire()
    local before = refreshes()
    local list = {}
    for i = 1, 100 do
      list[i] = function()
        return client:fetch(dev.app .. "/api/hello")
      end
    end
    local results, errs = authgear.all(list):wait()
    assert.is_nil(errs)
    for i = 1, 100 do
      assert.equal(200, results[i].status)
    end
    assert.equal(before + 1, refreshes())
  end)

  it("a call outside waits for a refresh that is under way, and runs no task of the program's own", function()
    expire()
    dev:fault { target = "token", kind = "slow", ms = 200 }
    local before, other = refreshes(), false
    local first = authgear.async(client.refresh_access_token_if_needed, client)
    sdk.poll("the refresh", function()
      authgear.update()
      return refreshes() > before
    end)
    authgear.async(function()
      other = true
    end)
    assert.is_true(client:refresh_access_token_if_needed())
    assert.is_false(other)
    assert.is_false(first:done())
    assert.is_true(first:wait())
    assert.equal(before + 1, refreshes())
  end)

  it("cancelling a fetch ends its transfer at once", function()
    local err
    local handle = authgear.async(function()
      local _
      _, err = client:fetch(dev.app .. "/public/hang")
    end)
    authgear.update()
    sdk.poll("the request", function()
      authgear.update()
      return dev:log({ event = "received", target = "app" })[1]
    end)
    assert.equal(1, scheduler.engine:running())
    handle:cancel()
    assert.equal(0, scheduler.engine:running())
    assert.is_nil(err)
    authgear.update()
    assert.equal("cancelled", err.code)
  end)

  it("cancelling all who wait for a refresh that was sent does not end it: it is stored", function()
    expire()
    dev:fault { target = "token", kind = "hold", when = "after" }
    local before, old = refreshes(), client:access_token()
    local handles, codes = {}, {}
    for i = 1, 5 do
      handles[i] = authgear.async(function()
        local _, err = client:fetch(dev.app .. "/api/hello")
        codes[i] = err.code
      end)
    end
    sdk.poll("the refresh", function()
      authgear.update()
      return refreshes() > before
    end)
    for _, handle in ipairs(handles) do
      handle:cancel()
    end
    assert.is_true(authgear.update() > 0)
    assert.same({ "cancelled", "cancelled", "cancelled", "cancelled", "cancelled" }, codes)
    assert.equal(old, client:access_token())
    release()
    sdk.poll("the end of the refresh", function()
      return authgear.update() == 0
    end)
    assert.not_equal(old, client:access_token())
    assert.equal(before + 1, refreshes())
    assert.is_true(client:refresh_access_token())
  end)

  it("a client with a host of its own waits as all others do", function()
    for _, host in ipairs { { sleep = error }, { sleep = error, spawn = error, await = error } } do
      local options = { client_id = "rotating", storage = storage, host = host }
      local other = assert(sdk.client(dev, options))
      expire()
      local before = refreshes()
      local list = {}
      for i = 1, 10 do
        list[i] = function()
          return other:fetch(dev.app .. "/api/hello")
        end
      end
      local results, errs = authgear.all(list):wait()
      assert.is_nil(errs)
      assert.equal(200, results[10].status)
      assert.equal(before + 1, refreshes())
      other:close()
    end
  end)

  it("timeout covers the whole call: the refresh goes on without the caller", function()
    expire()
    dev:fault { target = "token", kind = "hold", when = "after" }
    local before, old = refreshes(), client:access_token()
    local response, err = in_task(client.fetch, client, dev.app .. "/api/hello", { timeout = 0.2 })
    assert.is_nil(response)
    assert.equal("timeout", err.code)
    assert.equal(old, client:access_token())
    release()
    sdk.poll("the end of the refresh", function()
      return authgear.update() == 0
    end)
    assert.not_equal(old, client:access_token())
    assert.equal(before + 1, refreshes())
  end)

  it("timeout covers redirects and the replay after a 401", function()
    local response, err = in_task(client.fetch, client, dev.app .. "/public/redirect/302?path=/public/hang", { timeout = 0.1 })
    assert.is_nil(response)
    assert.equal("timeout", err.code)
    dev:expire {}
    dev:fault { target = "token", kind = "hold", when = "after" }
    response, err = in_task(client.fetch, client, dev.app .. "/api/hello", { timeout = 0.3 })
    assert.is_nil(response)
    assert.equal("timeout", err.code)
    if authgear.update() > 0 then -- else the time was over before the 401 was there
      release()
    end
    sdk.poll("the end of the refresh", function()
      return authgear.update() == 0
    end)
    assert.equal(200, in_task(client.fetch, client, dev.app .. "/api/hello").status)
  end)

  it("the functions of a stream may wait, and raise", function()
    local total, pieces, left = 0, 0, 40
    local response = in_task(client.fetch, client, dev.app .. "/public/big?n=" .. 2 * MIB, { sink = function(piece)
      authgear.sleep(0.001)
      total, pieces = total + #piece, pieces + 1
    end })
    assert.equal(200, response.status)
    assert.equal(2 * MIB, total)
    assert.is_true(pieces > 1)
    response = in_task(client.fetch, client, dev.app .. "/public/upload", { method = "POST", body = function()
      left = left - 1
      authgear.sleep(0.001)
      return left >= 0 and ("x"):rep(1000) or nil
    end })
    assert.equal(40000, response:json().bytes)
    local mark = {}
    local _, err = in_task(client.fetch, client, dev.app .. "/public/big?n=" .. MIB, { sink = function()
      authgear.sleep(0.001)
      error(mark)
    end })
    assert.equal("user_code", err.code)
    assert.equal(mark, err.cause)
    local seen
    _, err = in_task(client.fetch, client, dev.app .. "/public/hang", { cancelled = function()
      seen = (seen or 0) + 1
      return seen > 3
    end })
    assert.equal("cancelled", err.code)
  end)

  it("a download into a slow consumer holds little of it", function()
    local size, taken, most = (SOAK and 1024 or 100) * MIB, 0, 0
    local function sink(piece)
      taken = taken + #piece
      if taken % (4 * MIB) < #piece then
        authgear.sleep(0.01) -- the thread goes on meanwhile: as much as can be is held now
        most = math.max(most, steady.held())
      end
    end
    assert(in_task(client.fetch, client, dev.app .. "/public/big?n=" .. 8 * MIB, { sink = sink }))
    assert.is_true(most > 0)
    local before = steady.held()
    taken, most = 0, 0
    local response = assert(in_task(client.fetch, client, dev.app .. "/public/big?n=" .. ("%d"):format(size),
      { sink = sink, timeout = 600 }))
    assert.equal(200, response.status)
    assert.equal(size, taken)
    assert.is_true(most - before > 0, "nothing was held")
    assert.is_true(most - before < 2 * MIB, ("%.0f KiB more than before"):format((most - before) / 1024))
  end)

  it("many fetches, two hundred at a time, take no more memory than a few", function()
    local function hold(n)
      local list = {}
      for i = 1, n do
        list[i] = function()
          return assert(client:fetch(dev.app .. "/bench?n=200", { authorization = false })).status
        end
      end
      local results, errs = authgear.all(list, 200):wait()
      assert.is_nil(errs)
      assert.equal(200, results[n])
    end
    hold(500)
    local before = steady.held()
    hold(SOAK and 10000 or 2000)
    local more = steady.held() - before
    assert.is_true(more < 64 * 1024, ("%.0f KiB more than before"):format(more / 1024))
  end)

  it("cancels at random moments leave nothing behind", function()
    local count = SOAK and 10000 or 500
    local paths = { "/api/hello", "/public/slow?ms=20", "/public/big?n=300000", "/public/redirect/302?n=2", "/public/hang",
      "/public/stream?n=20&ms=3&bytes=1000" }
    local state = 7
    local function random(n)
      state = state * 16807 % 2147483647
      return state % n + 1
    end
    local function round(n)
      local open = {}
      for i = 1, n do
        local path = dev.app .. paths[random(#paths)]
        open[#open + 1] = authgear.async(function()
          local init = { timeout = 20 }
          if random(2) == 1 then
            init.sink = function()
              authgear.sleep(0.001 * random(3))
            end
          end
          if random(20) == 1 then
            client:refresh_access_token()
          end
          client:fetch(path, init)
        end)
        for _ = 1, random(4) do
          authgear.update()
          core.sleep(0.0001 * random(10))
        end
        if i % 2 == 0 then
          table.remove(open, random(#open)):cancel()
        end
      end
      for _, handle in ipairs(open) do
        handle:cancel()
      end
      sdk.poll("the end of all tasks", function()
        return authgear.update() == 0
      end, 60)
    end
    local engine = scheduler.engine or require("authgear.curl").engine()
    engine:limits(16, 16)
    round(count) -- tables keep the room for as many as there were at most
    local before, bytes = files.descriptors(), lua_kb()
    round(count)
    local bytes_then = lua_kb()
    assert.equal(0, scheduler.count())
    assert.is_false(scheduler.pending())
    assert.is_true(files.descriptors() <= before + 20, "descriptors: " .. before .. ", " .. files.descriptors())
    assert.is_true(bytes_then < bytes + 200, "Lua's memory: " .. bytes .. ", " .. bytes_then)
    engine:limits(256, 32)
    assert.is_true(client:refresh_access_token())
    assert.equal(200, client:fetch(dev.app .. "/api/hello").status)
  end)
end)
