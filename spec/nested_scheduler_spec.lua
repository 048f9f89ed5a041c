-- takes: 2
-- A scheduler of the program's own between a task and the coroutines inside it: whatever it does with our yields, every
-- wait ends, and none early.
local core = require "authgear.core"
local fake_engine = require "spec.support.fake_engine"
local pcall_that_yields = require "authgear.protect"
local scheduler = require "authgear.scheduler"
local tasks = require "spec.support.tasks"

local PENDING = scheduler.PENDING

describe("with a scheduler of the program's own inside a task", function()
  -- Each way to run three coroutines to their end; which of them yielded for us is told by the value.
  local ways = {}

  function ways.passes_on(list)
    while #list > 0 do
      for i = #list, 1, -1 do
        local ok, what = coroutine.resume(list[i])
        assert(ok, what)
        if coroutine.status(list[i]) == "dead" then
          table.remove(list, i)
        end
      end
      if #list > 0 then
        coroutine.yield(PENDING)
      end
    end
  end

  function ways.yields_something_else(list)
    while #list > 0 do
      for i = #list, 1, -1 do
        assert(coroutine.resume(list[i], "a value"))
        if coroutine.status(list[i]) == "dead" then
          table.remove(list, i)
        end
      end
      coroutine.yield("my own")
    end
  end

  function ways.never_yields(list)
    while #list > 0 do
      for i = #list, 1, -1 do
        assert(coroutine.resume(list[i]))
        if coroutine.status(list[i]) == "dead" then
          table.remove(list, i)
        end
      end
    end
  end

  function ways.in_pcall(list)
    local ok, err = pcall_that_yields(ways.passes_on, list)
    assert(ok, err)
  end

  for name, way in pairs(ways) do
    it("that " .. name .. ", every wait ends, and none early", function()
      local engine = fake_engine.new()
      scheduler.engine = engine
      local done, early, jobs = 0, 0, {}
      for _ = 1, 3 do
        scheduler.spawn(function()
          local list = {}
          for i = 1, 3 do
            list[i] = coroutine.create(function()
              for _ = 1, 3 do
                local before = core.now()
                scheduler.sleep(0.002 * i)
                if core.now() - before < 0.002 * i - 0.001 then
                  early = early + 1
                end
              end
              local job = engine:job()
              jobs[#jobs + 1] = job
              engine:say(job)
              assert.is_true(scheduler.await(function(wake)
                scheduler.watch(job, wake)
              end))
              scheduler.unwatch(job)
              local woken = scheduler.await(function(wake)
                scheduler.spawn(wake, true)
              end, 3600)
              assert.is_true(woken)
              done = done + 1
            end)
          end
          way(list)
        end)
      end
      tasks.run_all()
      assert.equal(9, done)
      assert.equal(9, #jobs)
      assert.equal(0, early)
    end)
  end
end)
