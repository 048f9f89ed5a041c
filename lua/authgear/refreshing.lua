--- One refresh at a time within a client: whoever comes while it runs waits for it and shares
-- what it brings. (Across processes the lock in the flow does the same.)
-- Must never end with its first caller where the host can run it apart from it (law 5).
local core = require "authgear.core"
local driver = require "authgear.driver"
local errors = require "authgear.errors"
local protect = require "authgear.protect"

local M = {}

---@class authgear.RefreshTask
---@field flow userdata
---@field refused string|nil the access token that made it necessary
---@field thread thread|nil who runs it; nil: Lua 5.1's main thread
---@field done boolean
---@field waiters function[]

local function finish(runtime, task)
  task.done = true
  if runtime.refreshing[1] == task then
    runtime.refreshing[1] = nil
  end
  for _, wake in ipairs(task.waiters) do
    wake()
  end
end

-- Runs the task here. Its error, if it is one of the session's, stays in the flow.
local function run_here(runtime, task)
  task.thread = coroutine.running()
  local ok, raised = protect(driver.run, runtime, task.flow, {}, true)
  finish(runtime, task)
  if not ok then
    error(raised, 0)
  end
end

-- Waits until the task is done. nil, err: the caller's time is over, or the host can't wait.
local function wait_for(runtime, task, run)
  local host = runtime.host
  if not host.await then
    if task.thread == coroutine.running() then
      return nil, errors.new("host", "called from inside the refresh that it would have to wait for")
    end
    return nil, errors.new("host", "another coroutine is refreshing; a host with 'await' could wait for it")
  end
  local seconds
  if run and run.deadline then
    seconds = run.deadline - core.now()
    if seconds <= 0 then
      return nil, errors.new("timeout", "the time for this call is over")
    end
  end
  local function start(wake)
    if task.done then
      wake()
    else
      task.waiters[#task.waiters + 1] = wake
    end
  end
  if not host.await(start, seconds) then
    return nil, errors.new("timeout", "the time for this call is over; the refresh goes on")
  end
  return true
end

-- The refresh under way, if any; one whose coroutine died or was thrown away is none.
local function under_way(runtime)
  local task = runtime.refreshing[1]
  if task and task.thread and coroutine.status(task.thread) == "dead" then
    runtime.refreshing[1] = nil
    return nil
  end
  return task
end

local function start_task(runtime, refused)
  local flow, code, message, retryable = core.refresh_flow(runtime.core, refused)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  local task = { flow = flow, refused = refused, done = false, waiters = {} }
  runtime.refreshing[1] = task
  return task
end

--- Has the session refreshed: if needed (refused nil), or because a server refused this access token.
---@param runtime table
---@param refused string|nil
---@param run authgear.Run|nil whose deadline bounds the waiting
---@return userdata|nil flow the finished refresh
---@return authgear.Error|nil err only for what kept us from waiting; the refresh's own failure is in its flow
function M.refresh(runtime, refused, run)
  local task = under_way(runtime)
  while task do
    local ok, err = wait_for(runtime, task, run)
    if not ok then
      return nil, err
    elseif task.refused == refused then
      return task.flow
    end
    task = under_way(runtime)
  end
  local err
  task, err = start_task(runtime, refused)
  if not task then
    return nil, err
  end
  if not runtime.host.spawn then
    run_here(runtime, task)
    return task.flow
  end
  runtime.host.spawn(function()
    run_here(runtime, task)
  end)
  if not task.done then
    local ok
    ok, err = wait_for(runtime, task, run)
    if not ok then
      return nil, err
    end
  end
  return task.flow
end

return M
