--- One refresh at a time within a client: whoever comes while it runs waits for it and shares
-- what it brings. (Across processes the lock in the flow does the same.)
-- Must never end with its first caller where the host can run it apart from it (law 5).
local core = require "authgear.core"
local errors = require "authgear.errors"
local tasks = require "authgear.task"

local M = {}

---@class authgear.RefreshTask : authgear.Task
---@field refused string|nil the access token that made it necessary
---@field demanded boolean|nil by the program, not by a server's refusing it

-- Is a refresh under way? One whose coroutine died is none.
local function is_busy(runtime)
  local task = runtime.refreshing[1]
  if task and (task.done or tasks.is_dead(runtime, task)) then
    runtime.refreshing[1] = nil
    return false
  end
  return task ~= nil
end

-- The refresh under way, if any. It is held weakly: who can't wait for it makes sure that it is not one
-- whose coroutine was thrown away, or whose caller was interrupted before it ran.
local function under_way(runtime)
  if not is_busy(runtime) then
    return nil
  end
  if not tasks.can_wait(runtime, runtime.refreshing[1]) then
    collectgarbage()
    collectgarbage() -- 5.2 and 5.3 need two for what the stack of a thrown away coroutine holds
  end
  return runtime.refreshing[1]
end

-- A refresh that runs on its caller's thread has its caller's time until it is sent, and can be cancelled until then.
local function run_for(runtime, caller)
  if tasks.spawner(runtime) or not caller then
    return {}
  end
  return { deadline = caller.deadline, cancelled = caller.fetch and caller.fetch.cancelled }
end

local function start_task(runtime, refused, caller, demanded)
  local flow, code, message, retryable = core.refresh_flow(runtime.core, refused, demanded)
  if not flow then
    return nil, errors.new(code, message, retryable)
  end
  local task = tasks.new(flow, run_for(runtime, caller), function(task)
    if runtime.refreshing[1] == task then
      runtime.refreshing[1] = nil
    end
  end)
  task.refused, task.demanded = refused, demanded
  runtime.refreshing[1] = task
  local ok, err = tasks.start(runtime, task)
  if not ok then
    return nil, err
  end
  return task
end

-- Has a refresh of our own run, and waits for it.
local function refresh_ourselves(runtime, refused, caller, demanded)
  local task, err = start_task(runtime, refused, caller, demanded)
  if not task then
    return nil, err
  end
  if not task.done then
    task.awaited = true
    local ok
    ok, err = tasks.wait(runtime, task, caller and caller.deadline)
    if not ok then
      task.awaited = false
      return nil, err
    end
  end
  if task.failed then
    error(task.raised, 0)
  elseif not task.finished then
    return nil, errors.new("host", "the host ended the refresh before it was done")
  end
  return task.flow
end

--- Has the session refreshed: if needed (refused nil), or because a server refused this access token.
---@param runtime table
---@param refused string|nil
---@param run authgear.Run|nil whose deadline bounds the waiting
---@param demanded boolean|nil no server refused it, the program wants another
---@return userdata|nil flow the finished refresh
---@return authgear.Error|nil err only for what kept us from waiting; the refresh's own failure is in its flow
function M.refresh(runtime, refused, run, demanded)
  local deadline = run and run.deadline
  local task = under_way(runtime)
  while task do
    local ok, err = tasks.wait(runtime, task, deadline)
    if not ok then
      return nil, err
    elseif task.finished and task.refused == refused and task.demanded == demanded then
      return task.flow
    end
    task = under_way(runtime)
  end
  return refresh_ourselves(runtime, refused, run, demanded)
end

return M
