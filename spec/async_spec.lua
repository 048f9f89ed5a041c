-- takes: 3
-- Handles: what becomes of a function that is run by authgear.async, whoever asks, cancels or forgets it.
local authgear = require "authgear"
local errors = require "authgear.errors"
local scheduler = require "authgear.scheduler"
local tasks = require "spec.support.tasks"

local function update_all()
  while authgear.update() > 0 do end
end

local function failure(code)
  return function()
    return nil, errors.new(code, "made up")
  end
end

describe("a handle", function()
  after_each(function()
    assert.equal(0, authgear.update())
  end)

  it("has the function's results, with nil among them", function()
    local handle = authgear.async(function(...)
      return select("#", ...), nil, ...
    end, 1, nil, nil)
    assert.is_false(handle:done())
    local got = { handle:wait() }
    assert.is_true(handle:done())
    assert.equal(3, got[1])
    assert.equal(5, select("#", handle:result()))
  end)

  it("is pending until then, and may be waited for in vain", function()
    local handle = authgear.async(authgear.sleep, 60)
    local ok, err = handle:result()
    assert.is_nil(ok)
    assert.equal("pending", err.code)
    assert.is_true(err.retryable)
    ok, err = handle:wait(0.001)
    assert.is_nil(ok)
    assert.equal("pending", err.code)
    authgear.async(function()
      ok, err = handle:wait(0.001)
      handle:cancel()
    end)
    tasks.run_all()
    assert.is_nil(ok)
    assert.equal("pending", err.code)
  end)

  it("begins with an update, not before, and update says how many are running", function()
    local began = 0
    for _ = 1, 3 do
      authgear.async(function()
        began = began + 1
        coroutine.yield()
      end)
    end
    assert.equal(0, began)
    assert.equal(3, authgear.update())
    assert.equal(3, began)
    assert.equal(0, authgear.update())
  end)

  it("has what the function raised, as the cause", function()
    local mark = {}
    local ok, err = authgear.async(error, mark):wait()
    assert.is_nil(ok)
    assert.equal("user_code", err.code)
    assert.equal(mark, err.cause)
    local handle = authgear.async(function()
      local nothing = nil
      return nothing.field
    end)
    ok, err = handle:wait()
    assert.is_nil(ok)
    assert.truthy(err.cause:find("async_spec.lua", 1, true))
    assert.truthy(err.traceback:find("async_spec.lua", 1, true))
    assert.is_nil(tostring(err):find("async_spec", 1, true))
  end)

  it("may be waited for by many, and by a task that is cancelled meanwhile", function()
    local wake
    local handle = authgear.async(function()
      scheduler.await(function(fn)
        wake = fn
      end)
      return "here"
    end)
    local got, waiters = {}, {}
    for i = 1, 5 do
      waiters[i] = authgear.async(function()
        got[i] = { handle:wait() }
      end)
    end
    authgear.update()
    waiters[3]:cancel()
    authgear.update()
    assert.equal("cancelled", got[3][2].code)
    wake()
    update_all()
    for _, i in ipairs { 1, 2, 4, 5 } do
      assert.same({ "here" }, got[i])
    end
    assert.same({ "here" }, { handle:wait() })
  end)

  it("can't be waited for by its own task", function()
    local handle, ok, err
    handle = authgear.async(function()
      ok, err = handle:wait()
    end)
    update_all()
    assert.is_nil(ok)
    assert.equal("host", err.code)
  end)

  describe("that is cancelled", function()
    it("says so, whatever the function returns, and lets it clean up", function()
      local seen
      local handle = authgear.async(function()
        local first, err = authgear.sleep(60)
        local second, again = authgear.sleep(60)
        seen = { first, err.code, second, again.code }
        return "all the same"
      end)
      authgear.update()
      assert.is_true(handle:cancel())
      assert.is_false(handle:done())
      assert.equal(0, authgear.update())
      assert.same({ nil, "cancelled", nil, "cancelled" }, seen)
      local ok, err = handle:result()
      assert.is_nil(ok)
      assert.equal("cancelled", err.code)
      assert.is_false(handle:cancel())
    end)

    it("before it began never does", function()
      local handle = authgear.async(error, "it began")
      assert.is_true(handle:cancel())
      assert.is_true(handle:done())
      assert.equal("cancelled", select(2, handle:wait()).code)
    end)

    it("has what the function raised then as the cause", function()
      local handle = authgear.async(function()
        local _, err = authgear.sleep(60)
        error(err)
      end)
      authgear.update()
      handle:cancel()
      authgear.update()
      local _, err = handle:result()
      assert.equal("cancelled", err.code)
      assert.equal("cancelled", err.cause.code)
    end)

    it("by its own function ends at its next wait", function()
      local handle, slept
      handle = authgear.async(function()
        handle:cancel()
        slept = authgear.sleep(60)
      end)
      update_all()
      assert.is_nil(slept)
      assert.equal("cancelled", select(2, handle:result()).code)
    end)
  end)

  describe("'s next", function()
    it("gets the results, and what it returns goes on", function()
      local handle = authgear.async(function()
        return 1, nil, 3
      end):next(function(...)
        assert.equal(3, select("#", ...))
        authgear.sleep(0.001)
        return (...) + 1
      end):next(function(n)
        return n * 10
      end)
      assert.equal(20, handle:wait())
    end)

    it("passes an error on to whoever takes one", function()
      local called, got = false, nil
      local handle = authgear.async(failure "network"):next(function()
        called = true
      end):next(function()
        called = true
      end, function(err)
        got = err.code
        return "mended"
      end)
      assert.equal("mended", handle:wait())
      assert.is_false(called)
      assert.equal("network", got)
      assert.equal("user_code", authgear.async(error, "x"):next(print, function(err)
        return err.code
      end):wait())
    end)

    it("may be cancelled without the one that it waits for", function()
      local called = false
      local first = authgear.async(function()
        authgear.sleep(0.002)
        return 1
      end)
      local second = first:next(function()
        called = true
      end)
      authgear.update()
      second:cancel()
      assert.equal(1, first:wait())
      tasks.run_all()
      assert.is_false(called)
      assert.equal("cancelled", select(2, second:result()).code)
    end)
  end)

  describe("that nobody has any more", function()
    local function raised_by_updates()
      local list = {}
      for _ = 1, 100 do
        local ok, err = pcall(update_all)
        if ok then
          return list
        end
        list[#list + 1] = err
      end
    end

    it("has its error raised by update, each one once", function()
      local mark = {}
      authgear.async(error, mark)
      authgear.async(error, "a string")
      authgear.async(failure "network"):next(print)
      local list = raised_by_updates()
      assert.equal(3, #list)
      assert.equal(mark, list[1])
      assert.truthy(list[2]:find("a string", 1, true))
      assert.truthy(list[2]:find("nobody", 1, true))
      assert.equal("network", list[3].code)
    end)

    it("has it raised by a wait outside all tasks, too", function()
      local handle = authgear.async(function()
        authgear.async(error, "lost")
        authgear.sleep(0.001)
        return 1
      end)
      local ok, err = pcall(handle.wait, handle)
      assert.is_false(ok)
      assert.truthy(err:find("lost", 1, true))
      assert.equal(1, handle:result())
    end)

    it("has no error when it was asked, cancelled, or returned nil, err", function()
      authgear.async(error, "asked"):next(print, function() end)
      authgear.async(failure "network")
      authgear.async(function()
        authgear.sleep(60)
        error "cleaning up"
      end):cancel()
      assert.equal("user_code", select(2, authgear.async(error, "asked"):wait()).code)
      assert.same({}, raised_by_updates())
    end)

    it("is told from one that somebody still has", function()
      local handle = authgear.async(error, "kept")
      assert.same({}, raised_by_updates())
      for _ = 1, 20 do
        authgear.async(error, "lost")
      end
      assert.equal(20, #raised_by_updates())
      assert.truthy(select(2, handle:result()).cause:find("kept", 1, true))
    end)
  end)
end)

describe("authgear.all", function()
  it("gives the first results and the errors by their numbers", function()
    local done = authgear.async(function()
      return "done"
    end)
    done:wait()
    local results, errs = authgear.all({ function()
      authgear.sleep(0.002)
      return "slow", "second"
    end, failure "network", done, authgear.async(authgear.sleep, 0.001), function()
      error "raised"
    end }):wait()
    assert.same({ n = 5, "slow", nil, "done", true }, results)
    assert.equal("network", errs[2].code)
    assert.equal("raised", errs[5].cause:match "raised$")
    assert.is_nil(errs[1])
    results, errs = authgear.all({}):wait()
    assert.same({ n = 0 }, results)
    assert.is_nil(errs)
  end)

  it("runs so many at a time", function()
    local running, most, list = 0, 0, {}
    for i = 1, 100 do
      list[i] = function()
        running = running + 1
        most = math.max(most, running)
        authgear.sleep(i % 3 == 0 and 0.001 or 0)
        running = running - 1
        return i
      end
    end
    local results, errs = authgear.all(list, 7):wait()
    assert.equal(7, most)
    assert.is_nil(errs)
    for i = 1, 100 do
      assert.equal(i, results[i])
    end
  end)

  it("takes ten thousand that are done, and ten thousand functions", function()
    local list, done = {}, authgear.async(function() end)
    done:wait()
    for i = 1, 10000 do
      list[i] = done
    end
    assert.equal(10000, authgear.all(list):wait().n)
    for i = 1, 10000 do
      list[i] = function()
        return i
      end
    end
    assert.equal(10000, authgear.all(list, 1):wait()[10000])
  end)

  it("cancels the functions that it runs, and begins no more", function()
    local began, cancelled, may_end = 0, 0, false
    local other = authgear.async(function()
      while not may_end do
        authgear.sleep(0.001)
      end
      return true
    end)
    local list = { other }
    for i = 2, 10 do
      list[i] = function()
        began = began + 1
        local _, err = authgear.sleep(60)
        if err.code == "cancelled" then
          cancelled = cancelled + 1
        end
      end
    end
    local handle = authgear.all(list, 5)
    authgear.update()
    authgear.update()
    assert.is_true(handle:cancel())
    may_end = true
    assert.equal(true, other:wait())
    tasks.run_all()
    assert.equal(4, began)
    assert.equal(4, cancelled)
    assert.equal("cancelled", select(2, handle:result()).code)
  end)
end)

describe("authgear.sleep", function()
  it("outside all tasks lets them go on", function()
    local handle = authgear.async(function()
      authgear.sleep(0.001)
      return "moved"
    end)
    assert.is_true(authgear.sleep(0.02))
    assert.is_true(handle:done())
    assert.equal("moved", handle:result())
    assert.is_true(authgear.sleep(0))
  end)
end)

describe("authgear.pcall", function()
  it("can be waited across on every Lua", function()
    local handle = authgear.async(function()
      local ok, err = authgear.pcall(function()
        authgear.sleep(0.001)
        error("caught", 0)
      end)
      return ok, err, authgear.pcall(authgear.sleep, 0.001)
    end)
    assert.same({ false, "caught", true, true }, { handle:wait() })
  end)
end)

describe("in a callback of a C function", function()
  it("a wait blocks or raises, and the task goes on", function()
    local list = { 3, 1, 2 }
    local handle = authgear.async(function()
      local ok, err = pcall(table.sort, list, function(a, b)
        authgear.sleep(0.001)
        return a < b
      end)
      authgear.sleep(0.001)
      return ok, err
    end)
    local ok, err = handle:wait()
    if ok then
      assert.same({ 1, 2, 3 }, list)
    else
      assert.truthy(err:find("yield", 1, true))
    end
    assert.equal(coroutine.isyieldable ~= nil, ok)
  end)
end)
