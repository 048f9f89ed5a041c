-- takes: 1
-- How the scheduler's tasks sleep: in which order they go on, and what is left of the times they did not need.
local core = require "authgear.core"
local scheduler = require "authgear.scheduler"
local tasks = require "spec.support.tasks"

describe("the scheduler", function()
  after_each(function()
    assert.equal(0, scheduler.count())
    assert.is_nil(scheduler.due())
  end)

  it("lets tasks sleep in the order of their times, and never runs them early", function()
    local unit = 0.005
    repeat -- with longer times where it takes long to begin with all of them
      unit = unit * 2
      local order, early, began = {}, 0, core.now()
      for i, units in ipairs { 6, 2, 4, 0, 3 } do
        scheduler.spawn(function()
          local before = core.now()
          assert.is_true(scheduler.sleep(units * unit))
          if core.now() - before < units * unit - 0.001 then -- now() counts milliseconds
            early = early + 1
          end
          order[#order + 1] = i
        end)
      end
      scheduler.run()
      local spread = core.now() - began
      tasks.run_all()
      assert.equal(0, early)
      if spread < unit then
        assert.same({ 4, 2, 5, 3, 1 }, order)
      end
    until spread < unit
  end)

  it("lets sleep(0) go on with the next run, not in the same one", function()
    local times = 0
    local task = scheduler.spawn(function()
      while true do
        times = times + 1
        scheduler.sleep(0)
      end
    end)
    scheduler.run()
    scheduler.run()
    scheduler.run()
    assert.equal(3, times)
    scheduler.cancel(task)
    tasks.run_all()
  end)

  it("forgets the timers of waits that ended before their time", function()
    scheduler.spawn(function()
      for _ = 1, 10000 do
        scheduler.await(function(wake)
          scheduler.spawn(wake)
        end, 3600)
      end
    end)
    tasks.run_all()
    assert.is_nil(scheduler.due())
  end)
end)
