--- Tasks: flows that are run apart from their callers where the host can do that, so that a caller that gives up, is
-- cancelled or thrown away does not end them with a request sent or a lock held (law 5). Elsewhere they run at once.
-- Must never leave anybody waiting for ever: whoever waits looks again now and then.
local core = require "authgear.core"
local current = require "authgear.current"
local driver = require "authgear.driver"
local errors = require "authgear.errors"
local protect = require "authgear.protect"
local running = require("authgear.running").running

local LOOK_AGAIN = 1 -- seconds between two looks at a task whose coroutine may have died
local SLACK = 10 -- seconds beyond all time limits of a flow, after which a host is taken not to have run it

local M = {}

---@class authgear.Task
---@field flow userdata
---@field run authgear.Run
---@field started boolean|nil
---@field apart boolean|nil it runs apart from its caller
---@field inside authgear.scheduler.Task|nil the scheduler's task that it runs in
---@field thread thread|nil who runs it; nil: nobody yet, or Lua 5.1's main thread
---@field done boolean nothing more will happen
---@field finished boolean|nil the flow came to its end, well or not
---@field failed boolean|nil something was raised besides: `raised`
---@field waiters { wake: function|nil }[]

---@param on_done nil|fun(task: authgear.Task) called once, before those who wait are woken
---@return authgear.Task
function M.new(flow, run, on_done)
  return { flow = flow, run = run, done = false, waiters = {}, on_done = on_done }
end

local function finish(task, finished)
  if task.done then
    return
  end
  task.finished = finished
  if task.on_done then
    task.on_done(task)
  end
  task.done = true
  for _, waiter in ipairs(task.waiters) do
    if waiter.wake then
      pcall(waiter.wake) -- one that fails must not keep the others asleep; it looks again by itself
    end
  end
end

local function run_here(runtime, task)
  task.thread = running()
  task.inside = current.current
  task.started = true
  task.run.ended = function(finished)
    finish(task, finished)
  end
  local ok, raised = protect(driver.run, runtime, task.flow, task.run, true)
  if not ok then
    task.raised = raised
    task.failed = true
  end
  finish(task, false)
end

--- What a call made here and now can have its work run by: apart from it, or nil.
---@return function|nil spawn
function M.spawner(runtime)
  local host = runtime.host
  if host.blocks and host.blocks() then
    return nil
  end
  return host.spawn
end

--- Can a call made here and now wait for that task? Where waiting blocks the thread, only for one that runs by itself.
---@return boolean
function M.can_wait(runtime, task)
  local host = runtime.host
  return host.await ~= nil and (task.apart or not (host.blocks and host.blocks()))
end

--- Starts a task: apart from the caller, or here and to its end.
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.start(runtime, task)
  local spawn = M.spawner(runtime)
  if not spawn then
    run_here(runtime, task)
    return true
  end
  task.apart = true
  local ok, started = protect(spawn, function()
    run_here(runtime, task)
    if task.failed and not task.awaited then
      runtime.log("warn", "an error was raised in a task whose caller is gone")
    end
  end)
  if ok and started ~= false then
    return true
  end
  local err = errors.new("host", "the host could not start a task")
  err.cause = not ok and started or nil
  finish(task, false)
  return nil, err
end

-- How long a task may take at most, all its time limits together.
local function patience(runtime)
  return 2 * runtime.timeout + runtime.lock_timeout + runtime.refresh_timeout + SLACK
end

--- Is it a task that will never be done, since its coroutine has died?
function M.is_dead(runtime, task)
  local status = runtime.host.status or coroutine.status
  return task.thread ~= nil and not task.done and status(task.thread) == "dead"
end

--- Waits until a task is done. nil, err: the deadline is over, or the host can't wait.
---@param deadline number|nil on the runtime's clock
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.wait(runtime, task, deadline)
  local host = runtime.host
  local refusal = driver.refusal(runtime)
  if refusal then
    return nil, errors.new("phase", refusal)
  elseif task.started and (task.thread == running() or (task.inside and task.inside == current.current)) then
    return nil, errors.new("host", "called from inside the work that it would have to wait for")
  elseif not M.can_wait(runtime, task) then
    return nil, errors.new("host", "another coroutine is at it; a host with 'spawn' and 'await' could wait for it")
  end
  local waiter = {}
  task.waiters[#task.waiters + 1] = waiter
  local function start(wake)
    if task.done then
      wake()
    else
      waiter.wake = wake
    end
  end
  local last = runtime.now() + patience(runtime)
  while not (task.done or M.is_dead(runtime, task)) do
    local now = runtime.now()
    local left = math.min(last, deadline or last) - now
    if left <= 0 then
      waiter.wake = nil
      return nil, errors.new("timeout", "the time for this call is over; what was sent goes on")
    elseif current.is_cancelled() then
      waiter.wake = nil
      return nil, errors.new("cancelled", "the task was cancelled; what was sent goes on")
    end
    host.await(start, math.min(left, LOOK_AGAIN))
  end
  waiter.wake = nil
  return true
end

--- Runs a flow that must not end with its caller, and gives what driver.run gives.
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.run(runtime, flow, run)
  if not M.spawner(runtime) then
    return driver.run(runtime, flow, run, true)
  end
  local task = M.new(flow, run)
  task.awaited = true
  local ok, err = M.start(runtime, task)
  if ok and not task.done then
    ok, err = M.wait(runtime, task)
  end
  if not ok then
    return nil, err
  elseif task.failed then
    error(task.raised, 0)
  elseif not task.finished then
    return nil, errors.new("host", "the host ended the task before it was done")
  end
  return driver.result(flow)
end

--- The same for a flow just made: see driver.finishing.
M.finish = driver.finishing(M.run)

--- Has the session ended, at the server too if `revoke`.
---@param only string|nil the access token of the session that is meant; nil: any
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.end_session(runtime, revoke, force, only)
  local flow, code, message, retryable = core.end_flow(runtime.core, revoke, force, only)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  return M.run(runtime, flow, { deadline = runtime.now() + runtime.timeout })
end

return M
