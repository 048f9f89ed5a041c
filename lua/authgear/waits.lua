--- How the scheduler's tasks wait, and how a program waits for them outside all tasks: park, sleep, await, block. A part
-- of authgear/scheduler.lua, which loads it.
-- Must never wait in a thread that could yield.
local core = require "authgear.core"

local yield, now = coroutine.yield, core.now
local isyieldable = coroutine.isyieldable or function()
  return true
end

local SLICE = 0.1 -- seconds: a C function that takes longer makes Ctrl-C wait
local PATIENCE = 100 -- waits that a cancelled task may begin before they raise; twice as many, and it is left alone

local M = require "authgear.current"
local PENDING = M.PENDING

-- Waits a moment in this thread.
local function idle(seconds)
  if seconds > SLICE then
    seconds = SLICE
  end
  if M.engine then
    M.engine:wait(seconds)
  else
    core.sleep(seconds)
  end
end

-- As long as nothing is due.
local function idle_until_due(longest)
  local due = M.due_timer()
  local seconds = due and due < longest and due or longest
  if seconds > 0 then
    idle(seconds)
  end
end

--- Lets the running task wait until it is woken. It may be woken for no reason. Where it can't yield (inside a C
--- function's callback) this thread waits, and the SDK's own tasks go on.
function M.park()
  if not isyieldable() then
    M.run_inside()
    if M.is_idle(true) then
      idle_until_due(SLICE)
    end
    return
  end
  local ticks = M.ticks
  yield(PENDING)
  if ticks == M.ticks then
    M.run_inside()
  end
end
local park = M.park

--- Lets the running task wait for the next run if the time of this one is over: before it begins with what takes a while.
function M.breathe()
  if M.is_late() and isyieldable() then
    M.postpone(M.current)
    park()
  end
end

--- Must the running task give up? To be asked at the beginning of each wait. A task that goes on waiting all the same
--- gets an error in the end, and then is not resumed any more.
---@param task authgear.scheduler.Task
---@return boolean
function M.refuses(task)
  if not task.cancelled then
    return false
  end
  local times = (task.ignored or 0) + 1
  task.ignored = times
  if times > 2 * PATIENCE and isyieldable() then
    M.finish(task, true)
    yield(PENDING)
  end
  if times > PATIENCE then
    error("the task was cancelled, and goes on waiting", 0)
  end
  return true
end

--- Lets the running task wait.
---@param seconds number 0: until the next run
---@return boolean slept false: it was cancelled
function M.sleep(seconds)
  local task = M.current
  if M.refuses(task) then
    return false
  end
  local timer = M.set_timer { at = now() + seconds, task = task }
  repeat
    park()
  until timer.over or task.cancelled
  M.drop_timer(timer)
  return not task.cancelled
end

--- Lets the running task wait until it is woken or the seconds are over. It may be woken for no reason.
---@param seconds number
function M.doze(seconds)
  local timer = M.set_timer { at = now() + seconds, task = M.current }
  park()
  M.drop_timer(timer)
end

--- Lets the running task wait until wake is called or the seconds are over: see docs/hosts.md.
---@param start fun(wake: function)
---@param seconds number|nil
---@return boolean woken
function M.await(start, seconds)
  local task = M.current
  if M.refuses(task) then
    return false
  end
  local woken, waiting = false, false
  start(function()
    if not woken then
      woken = true
      if waiting then
        M.ready(task)
      end
    end
  end)
  waiting = true
  local timer = not woken and seconds and M.set_timer { at = now() + seconds, task = task }
  while not woken and not (timer and timer.over) and not task.cancelled do
    park()
  end
  waiting = false
  if timer then
    M.drop_timer(timer)
  end
  return woken
end

--- The file descriptor that is readable while the engine has news; nil as long as there is no engine.
---@return integer|nil
---@return string|nil code
---@return string|nil message
function M.descriptor()
  if M.engine then
    return M.engine:descriptor()
  end
end

--- Waits in this thread, outside all tasks, and runs them meanwhile.
---@param is_over fun(what: any): boolean
---@param what any
---@param seconds number|nil
---@param only_ours boolean|nil run none of the program's own tasks
---@return boolean over false: the time is
function M.block(is_over, what, seconds, only_ours)
  local last = seconds and now() + seconds
  M.be_patient(false)
  while not is_over(what) do
    M.guarded(nil, only_ours)
    if is_over(what) then
      break
    end
    local left = last and last - now() or SLICE
    if left <= 0 then
      return false
    elseif M.is_idle(only_ours) then
      idle_until_due(left)
    end
  end
  return true
end

--- At the end of the Lua state: runs the tasks that are owed an answer, and nothing else, until is_over.
---@param seconds number at most
function M.settle(is_over, seconds)
  local last = now() + seconds
  M.be_patient(false)
  while not is_over() and now() < last do
    M.guarded(nil, true, true)
    if not is_over() then
      idle_until_due(last - now())
    end
  end
end

return M
