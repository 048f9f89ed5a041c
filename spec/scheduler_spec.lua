-- takes: 2
-- The scheduler by itself: who goes on when, whatever resumes whom, and what is left when it is over.
local core = require "authgear.core"
local fake_engine = require "spec.support.fake_engine"
local pcall_that_yields = require "authgear.protect"
local scheduler = require "authgear.scheduler"
local tasks = require "spec.support.tasks"

describe("the scheduler", function()
  after_each(function()
    scheduler.engine = nil
    assert.equal(0, scheduler.count())
    assert.is_false(scheduler.pending())
    assert.is_nil(scheduler.current)
    assert.is_nil(scheduler.due())
  end)

  it("begins a task with the next run, with its arguments, and keeps what it returns", function()
    local got, ended
    local task = scheduler.spawn(function(...)
      got = { n = select("#", ...), ... }
      assert.equal(1, scheduler.count())
      return nil, "two", nil
    end, nil, { n = 3, 1, nil, nil }, function(task)
      ended = task
    end)
    assert.is_nil(got)
    assert.equal(task, ended or task)
    assert.equal(0, scheduler.due())
    assert.equal(0, scheduler.run())
    assert.equal(3, got.n)
    assert.equal(task, ended)
    assert.is_true(task.ok)
    assert.equal(3, task.results.n)
    assert.equal("two", task.results[2])
  end)

  it("keeps what a task raises, and the others go on", function()
    local mark, other = {}, false
    local task = scheduler.spawn(function()
      error(mark)
    end)
    scheduler.spawn(function()
      other = true
    end)
    tasks.run_all()
    assert.is_false(task.ok)
    assert.equal(mark, task.raised)
    assert.is_true(other)
  end)

  it("knows the task that is being resumed", function()
    local seen = {}
    local a = scheduler.spawn(function()
      seen.a = scheduler.current
      scheduler.sleep(0)
      seen.again = scheduler.current
    end)
    local b = scheduler.spawn(function()
      seen.b = scheduler.current
    end)
    tasks.run_all()
    assert.equal(a, seen.a)
    assert.equal(a, seen.again)
    assert.equal(b, seen.b)
  end)

  it("takes a yield of anything else as: go on with the next run", function()
    local got = {}
    scheduler.spawn(function()
      for i = 1, 3 do
        got[#got + 1] = i
        coroutine.yield("whatever")
      end
    end)
    assert.equal(1, scheduler.run())
    assert.same({ 1 }, got)
    assert.equal(0, scheduler.due())
    assert.equal(1, scheduler.run())
    assert.same({ 1, 2 }, got)
    tasks.run_all()
    assert.same({ 1, 2, 3 }, got)
  end)

  it("await returns at once when it is woken before it waits, and true", function()
    local woken
    scheduler.spawn(function()
      woken = scheduler.await(function(wake)
        wake()
        wake()
      end)
    end)
    assert.equal(0, scheduler.run())
    assert.is_true(woken)
  end)

  it("await ends when it is woken or its time is over, and a late wake does nothing", function()
    local wakes, woken = {}, {}
    for i = 1, 2 do
      scheduler.spawn(function()
        woken[i] = scheduler.await(function(wake)
          wakes[i] = wake
        end, i == 1 and 60 or 0.005)
      end)
    end
    scheduler.run()
    wakes[1]()
    tasks.run_all()
    assert.same({ true, false }, woken)
    wakes[2]()
    wakes[1]()
    assert.equal(0, scheduler.run())
  end)

  it("a task that is woken by another goes on in the same run, a chain without end does not hold it up", function()
    local wake_first
    local order = {}
    scheduler.spawn(function()
      scheduler.await(function(wake)
        wake_first = wake
      end)
      order[#order + 1] = "woken"
    end)
    scheduler.spawn(function()
      wake_first()
      order[#order + 1] = "woke"
    end)
    assert.equal(0, scheduler.run())
    assert.same({ "woke", "woken" }, order)
    local links, going = 0, true
    local function link()
      links = links + 1
      if going then
        scheduler.spawn(link)
      end
    end
    scheduler.spawn(link)
    assert.equal(1, scheduler.run())
    assert.is_true(links < 100)
    going = false
    tasks.run_all()
  end)

  it("begins with no other task once its budget is spent, and always with one", function()
    local began = 0
    for _ = 1, 50 do
      scheduler.spawn(function()
        began = began + 1
        local until_then = core.clock() + 0.002
        repeat until core.clock() >= until_then
      end)
    end
    assert.equal(49, scheduler.run(0.001))
    assert.equal(48, scheduler.run(0.001))
    assert.equal(2, began)
    tasks.run_all()
    assert.equal(50, began)
  end)

  it("has a task that breathes go on with the next run once the budget is spent", function()
    local steps = 0
    local function breathing()
      steps = 1
      local until_then = core.clock() + 0.002
      repeat until core.clock() >= until_then
      scheduler.breathe()
      steps = 2
      scheduler.breathe()
      steps = 3
    end
    scheduler.spawn(breathing)
    scheduler.run(0.001)
    assert.equal(1, steps)
    scheduler.run(1000)
    assert.equal(3, steps)
    scheduler.spawn(breathing)
    scheduler.run()
    assert.equal(3, steps)
    assert.equal(0, scheduler.count())
  end)

  it("lets the engine take its time for who comes once a frame, not for who is waiting", function()
    local engine = fake_engine.new()
    scheduler.engine = engine
    core.sleep(0.005)
    scheduler.frame()
    assert.same({ true }, engine.told)
    for _ = 1, 1000 do -- one of them comes at once, whatever else the machine does
      scheduler.frame()
    end
    assert.equal(false, engine.told[2])
    core.sleep(0.005)
    scheduler.frame()
    assert.equal(true, engine.told[#engine.told])
    scheduler.run()
    assert.equal(false, engine.told[#engine.told])
    core.sleep(0.005)
    scheduler.frame()
    scheduler.block(function()
      return true
    end)
    assert.equal(false, engine.told[#engine.told])
    for i = 2, #engine.told do
      assert.not_equal(engine.told[i - 1], engine.told[i]) -- told what has changed
    end
  end)

  it("does nothing when it is run inside a task", function()
    local ran, inside = false, nil
    scheduler.spawn(function()
      scheduler.spawn(function()
        ran = true
      end)
      inside = scheduler.run()
      assert.is_false(ran)
    end)
    tasks.run_all()
    assert.equal(2, inside)
    assert.is_true(ran)
  end)

  it("wakes the task of a job that has news, and calls the watcher of another", function()
    local engine = fake_engine.new()
    scheduler.engine = engine
    assert.equal(42, scheduler.descriptor())
    local first, second, steps, calls = engine:job(), engine:job(), 0, 0
    local task = scheduler.spawn(function()
      scheduler.adopt(first)
      for _ = 1, 3 do
        scheduler.park()
        steps = steps + 1
      end
      scheduler.release(scheduler.current, first)
    end)
    scheduler.watch(second, function()
      calls = calls + 1
    end)
    scheduler.run()
    assert.equal(0, steps)
    engine:say(first)
    engine:say(second)
    scheduler.run()
    assert.equal(1, steps)
    assert.equal(1, calls)
    engine:say(first)
    scheduler.run()
    engine:say(first)
    engine:say(engine:job()) -- nobody's
    tasks.run_all()
    assert.is_true(task.done)
    assert.is_nil(first.closed)
    assert.is_false(scheduler.pending()) -- a watcher is called once
    scheduler.watch(second, error)
    assert.is_true(scheduler.pending())
    scheduler.unwatch(second)
  end)

  it("uses the number of a task that is over for another, which news of an old job wake for nothing", function()
    local engine = fake_engine.new()
    scheduler.engine = engine
    local job, woken = engine:job(), 0
    scheduler.spawn(function()
      scheduler.adopt(job)
      scheduler.release(scheduler.current, job)
    end)
    tasks.run_all()
    local go = false
    scheduler.spawn(function()
      while not go do
        scheduler.park()
        woken = woken + 1
      end
    end)
    scheduler.run()
    engine:say(job)
    scheduler.run()
    assert.equal(1, woken)
    go = true
    engine:say(job)
    tasks.run_all()
    engine:say(job) -- nobody's now
    scheduler.run()
    assert.equal(2, woken)
    assert.equal(0, scheduler.count())
  end)

  it("closes the jobs that a task leaves behind", function()
    local engine = fake_engine.new()
    scheduler.engine = engine
    local returned, raised = engine:job(), engine:job()
    scheduler.spawn(function()
      scheduler.adopt(returned)
    end)
    scheduler.spawn(function()
      scheduler.adopt(raised)
      error "oh"
    end)
    tasks.run_all()
    assert.is_true(returned.closed)
    assert.is_true(raised.closed)
  end)

  it("tells of new work, and that there is none any more, but not while it runs", function()
    local told = {}
    local remove = scheduler.on_work(function()
      told[#told + 1] = scheduler.pending()
    end)
    scheduler.spawn(function()
      scheduler.spawn(function() end)
      scheduler.sleep(0)
    end)
    assert.same({ true }, told)
    tasks.run_all()
    assert.same({ true, false }, told)
    scheduler.run()
    assert.same({ true, false }, told)
    remove()
    scheduler.spawn(function() end)
    tasks.run_all()
    assert.same({ true, false }, told)
  end)

  it("tells when the last job that was watched is not any more", function()
    local engine, told = fake_engine.new(), {}
    scheduler.engine = engine
    local job = engine:job()
    local remove = scheduler.on_work(function()
      told[#told + 1] = scheduler.pending()
    end)
    scheduler.watch(job, function() end)
    scheduler.unwatch(job)
    remove()
    assert.same({ true, false }, told)
  end)

  describe("cancelling", function()
    it("ends the wait, closes the jobs at once, and lets the task clean up", function()
      local engine = fake_engine.new()
      scheduler.engine = engine
      local job, slept, again, cleaned = engine:job(), nil, nil, false
      local task = scheduler.spawn(function()
        scheduler.adopt(job)
        slept = scheduler.sleep(3600)
        again = scheduler.await(function()
          error "not to be called"
        end)
        cleaned = true
      end)
      scheduler.run()
      scheduler.cancel(task)
      assert.is_true(job.closed)
      assert.is_false(cleaned)
      assert.equal(0, scheduler.run())
      assert.is_false(slept)
      assert.is_false(again)
      assert.is_true(cleaned)
    end)

    it("keeps a task from beginning", function()
      local ended = 0
      local task = scheduler.spawn(error, nil, nil, function()
        ended = ended + 1
      end)
      scheduler.cancel(task)
      assert.equal(1, ended)
      assert.equal(0, scheduler.count())
      assert.equal(0, scheduler.run())
      scheduler.cancel(task)
      assert.equal(1, ended)
    end)

    it("does not touch the SDK's own tasks", function()
      local slept
      local task = scheduler.spawn(function()
        slept = scheduler.sleep(0)
      end, true)
      scheduler.cancel(task)
      tasks.run_all()
      assert.is_true(slept)
    end)

    it("gets rid of a task that goes on waiting, with and without pcall", function()
      local raised = scheduler.spawn(function()
        while true do
          scheduler.sleep(1)
        end
      end)
      local stubborn = scheduler.spawn(function()
        while true do
          pcall_that_yields(scheduler.sleep, 1)
        end
      end)
      scheduler.run()
      scheduler.cancel(raised)
      scheduler.cancel(stubborn)
      tasks.run_all()
      assert.is_false(raised.ok)
      assert.is_true(stubborn.ok)
    end)
  end)

  describe("outside all tasks", function()
    it("runs them while the program waits, and waits at the engine", function()
      local engine = fake_engine.new()
      scheduler.engine = engine
      local job, over = engine:job(), false
      engine.on_wait = function(self)
        self:say(job)
      end
      scheduler.spawn(function()
        scheduler.adopt(job)
        scheduler.park()
        over = true
      end)
      assert.is_true(scheduler.block(function()
        return over
      end))
      assert.equal(1, engine.waits)
    end)

    it("gives up when the time is over", function()
      local task = scheduler.spawn(function()
        scheduler.sleep(3600)
      end)
      assert.is_false(scheduler.block(function()
        return false
      end, nil, 0.005))
      scheduler.cancel(task)
      tasks.run_all()
    end)

    it("runs only the SDK's own, if that is said", function()
      local users, over = false, false
      scheduler.spawn(function()
        users = true
      end)
      scheduler.spawn(function()
        scheduler.sleep(0.005)
        over = true
      end, true)
      assert.is_true(scheduler.block(function()
        return over
      end, nil, nil, true))
      assert.is_false(users)
      tasks.run_all()
      assert.is_true(users)
    end)
  end)

  it("goes on after an error was raised in the middle of a run", function()
    local engine = fake_engine.new()
    scheduler.engine = engine
    local calls, ended = 0, 0
    local ready = engine.ready
    engine.ready = function(self)
      calls = calls + 1
      if calls == 2 then
        error("interrupted!", 0)
      end
      return ready(self)
    end
    for _ = 1, 3 do
      scheduler.spawn(function()
        scheduler.sleep(0)
        ended = ended + 1
      end)
    end
    assert.has_error(function()
      scheduler.run()
    end, "interrupted!")
    assert.is_nil(scheduler.current)
    tasks.run_all()
    assert.equal(3, ended)
  end)
end)
