--- Calls that don't wait: authgear.async, handles, update, all, sleep. See docs/async.md.
-- Must never lose an error of a task's: it is the handle's, and when nobody can ask the handle any more, update raises it.
local check = require "authgear.check"
local errors = require "authgear.errors"
local scheduler = require "authgear.scheduler"

local unpack = table.unpack or unpack

local M = {}

--- What authgear.async gives: a function under way.
---@class authgear.Handle
---@field private task authgear.scheduler.Task
local Handle = {}
Handle.__index = Handle

-- task -> its handle, as long as there is somebody who could ask it.
local handles = setmetatable({}, { __mode = "kv" })

-- The tasks that failed and whose handles have not been asked, the oldest first.
local failures = { n = 0, new = false }

local LOOKS = 16 -- failures that are looked at in one run

local checked_budget -- of the last update: the same is given once a frame

local function pack(...)
  return { n = select("#", ...), ... }
end

local function failed(first, second)
  return first == nil and errors.is(second)
end

-- The task's error, if it has one that somebody should hear of.
local function error_of(task)
  if task.cancelled then
    return nil
  elseif not task.ok then
    return task.raised, task.traceback
  elseif task.passed_on then
    return task.results[2]
  end
end

local function raise(task)
  local raised, traceback = error_of(task)
  if type(raised) == "string" and traceback then
    raised = raised .. "\nraised in a task whose handle nobody has any more\n" .. traceback
  end
  error(raised, 0)
end

-- Raises the first error that nobody can ask for any more.
local function look(count)
  if count == 0 and failures.new then
    collectgarbage() -- nobody may call again: what can be known is to be known now
    collectgarbage()
    failures.new = false
  end
  local left = count == 0 and failures.n or math.min(failures.n, LOOKS)
  while left > 0 do
    local task = table.remove(failures, 1)
    failures.n = failures.n - 1
    if failures.n == 0 then
      scheduler.after_run = nil
    end
    if not task.asked then
      if not handles[task] then
        raise(task)
      end
      failures.n = failures.n + 1
      failures[failures.n] = task
      scheduler.after_run = look
    end
    left = left - 1
  end
end

local function remember(task)
  failures.new = true
  failures.n = failures.n + 1
  failures[failures.n] = task
  scheduler.after_run = look
end

local function on_done(task)
  if not task.ok and debug and debug.traceback then
    task.traceback = debug.traceback(task.thread)
  end
  if not task.asked and error_of(task) ~= nil then
    remember(task)
  end
  local waiters = task.waiters
  if waiters then
    task.waiters = nil
    for _, wake in pairs(waiters) do
      wake(task)
    end
  end
end

-- Has wake(task) called when the task is done. The key takes it off again.
local function when_done(task, key, wake)
  local waiters = task.waiters
  if not waiters then
    waiters = {}
    task.waiters = waiters
  end
  waiters[key] = wake
end

local function start(fn, args)
  local task = scheduler.spawn(fn, nil, args, on_done)
  local handle = setmetatable({ task = task }, Handle)
  handles[task] = handle
  return handle
end

--- Runs fn as a task: every call of the SDK in it lets the others go on instead of blocking. It begins with the next
--- update, or wait. (Lua 5.1: not across pcall: use authgear.pcall. Nor, on any Lua, inside a callback of a C function
--- such as table.sort's: there the call blocks, or raises on Lua 5.1 and 5.2.)
---@param fn function
---@param ... any its arguments
---@return authgear.Handle
function M.async(fn, ...)
  check.value("async", 1, "function", fn, "function")
  local n = select("#", ...)
  return start(fn, n > 0 and { n = n, ... } or nil)
end

--- Moves all tasks on, and never waits. To be called all the time, once a frame, say. An error raised by a task is raised
--- here if its handle was collected and nobody had asked it.
---@param budget number|nil seconds: no other task is gone on with after that; one at least is
---@return integer running tasks that are not done, refreshes under way included
function M.update(budget)
  if budget ~= nil and budget ~= checked_budget then
    check.value("update", 1, "budget", budget, "seconds")
    checked_budget = budget
  end
  return scheduler.frame(budget)
end

local function cancelled(task)
  local err = errors.new("cancelled", "the task was cancelled")
  if task and task.ok == false then
    err.cause = task.raised
  end
  return nil, err
end

--- Waits. In a task the others go on; elsewhere this thread waits, and the tasks go on.
---@param seconds number
---@return boolean|nil ok
---@return authgear.Error|nil err `cancelled`: the task was
function M.sleep(seconds)
  if seconds ~= 0 then
    check.value("sleep", 1, "time", seconds, "seconds")
  end
  if scheduler.current then
    if scheduler.sleep(seconds) then
      return true
    end
    return cancelled()
  end
  scheduler.block(function()
    return false
  end, nil, seconds)
  return true
end

local function result(task)
  task.asked = true
  if task.cancelled then
    return cancelled(task)
  elseif not task.ok then
    local err = errors.new("user_code", "the function of a task raised an error")
    err.cause, err.traceback = task.raised, task.traceback
    return nil, err
  end
  return unpack(task.results, 1, task.results.n)
end

local function pending()
  return nil, errors.new("pending", "the task is not done")
end

--- Is it over, well or not?
---@return boolean
function Handle:done()
  return self.task.done == true
end

--- What the function returned; nil, err when it raised (`user_code`, with `cause`, and `traceback` for people),
--- was cancelled (`cancelled`, whatever it returned), or is not done (`pending`).
---@return any ...
function Handle:result()
  local task = self.task
  if not task.done then
    return pending()
  end
  return result(task)
end

--- Aborts what the task waits for, at once: transfers are ended and freed. The call that waits gives nil, err
--- (`cancelled`) with the next update, and so does each later one, so that the function can clean up. A refresh of
--- the session that is under way goes on, and is stored. A task that has not begun never does.
---@return boolean cancelled false: it was done already
function Handle:cancel()
  local task = self.task
  if task.done then
    return false
  end
  scheduler.cancel(task)
  for _, child in pairs(task.children or {}) do
    if child then
      child:cancel()
    end
  end
  return true
end

local function is_done(task)
  return task.done == true
end

-- Inside another task.
local function await(task, seconds)
  local key = {}
  local last = seconds and require("authgear.core").now() + seconds
  repeat
    local left = last and last - require("authgear.core").now()
    if task.done or (left and left <= 0) then
      break
    end
    scheduler.await(function(wake)
      when_done(task, key, wake)
    end, left)
  until task.done or scheduler.is_cancelled()
  if task.waiters then
    task.waiters[key] = nil
  end
end

--- Waits until it is done, and gives its result. In a task the others go on meanwhile; elsewhere this thread waits, and
--- all tasks go on.
---@param seconds number|nil at most; then nil, err (`pending`), and the task goes on
---@return any ...
function Handle:wait(seconds)
  if seconds ~= nil and seconds ~= 0 then
    check.value("wait", 1, "time", seconds, "seconds")
  end
  local task, current = self.task, scheduler.current
  if current == task then
    return nil, errors.new("host", "a task can't wait for itself")
  elseif not current then
    scheduler.block(is_done, task, seconds)
    if scheduler.after_run then
      task.asked = true
      scheduler.after_run(scheduler.count())
    end
  elseif not task.done then
    if not scheduler.refuses(current) then
      await(task, seconds)
    end
    if current.cancelled then
      return cancelled()
    end
  end
  return self:result()
end

local function go_on(task, fn, on_error)
  local me = scheduler.current
  await(task)
  if me.cancelled then
    return
  end
  local results = pack(result(task))
  if not failed(results[1], results[2]) then
    return fn(unpack(results, 1, results.n))
  elseif on_error then
    return on_error(results[2])
  end
  me.passed_on = true
  return unpack(results, 1, results.n)
end

--- Has fn(...) called with what the function returned, as a task of its own. If that is nil, err: on_error(err), if it is
--- given; if not, nothing is called and the new handle has the same nil, err, which update raises if nobody asks for it.
---@param fn function
---@param on_error nil|fun(err: authgear.Error)
---@return authgear.Handle handle of what fn or on_error returns
function Handle:next(fn, on_error)
  check.value("next", 1, "function", fn, "function")
  if on_error ~= nil then
    check.value("next", 2, "function", on_error, "function")
  end
  self.task.asked = true
  return start(go_on, { n = 3, self.task, fn, on_error })
end

local function read_list(list, at_once)
  check.value("all", 1, "list", list, "table")
  for i = 1, #list do
    if type(list[i]) ~= "function" and getmetatable(list[i]) ~= Handle then
      check.fail("all", 1, "list has at " .. i .. " neither a function nor a handle, but a " .. type(list[i]))
    end
  end
  if at_once ~= nil and (check.value("all", 2, "number at once", at_once, "count") or at_once < 1) then
    check.fail("all", 2, "number at once must be at least 1")
  end
end

-- Runs and waits for all. What it keeps of each is its first result, or its error.
local function gather(list, at_once)
  local me = scheduler.current
  local results, errs, left, next_one = { n = #list }, nil, #list, 1
  local wake_me
  me.children = {}
  local function keep(i, task)
    local first, second = result(task)
    if failed(first, second) then
      errs = errs or {}
      errs[i] = second
    else
      results[i] = first
    end
    left = left - 1
  end
  local begin
  function begin(count)
    while count > 0 and next_one <= #list and not me.cancelled do
      local i, one = next_one, list[next_one]
      next_one = i + 1
      local own = type(one) == "function"
      local handle = own and start(one) or one
      local task = handle.task
      task.asked = true
      me.children[i] = own and handle
      if task.done then
        keep(i, task)
      else
        count = count - 1
        when_done(task, me, function()
          me.children[i] = false
          keep(i, task)
          begin(1)
          if left == 0 and wake_me then
            wake_me()
          end
        end)
      end
    end
  end
  begin(at_once or #list)
  while left > 0 and not me.cancelled do
    scheduler.await(function(wake)
      wake_me = wake
    end)
  end
  return results, errs
end

--- Runs functions as tasks, and waits for them and for handles. The handle's result is a list of each one's first result
--- (`n` of them), and, if some failed, a table of their errors by the same numbers. Cancelling it cancels the functions.
---@param list (function|authgear.Handle)[]
---@param at_once integer|nil so many functions at a time; nil: all
---@return authgear.Handle
function M.all(list, at_once)
  read_list(list, at_once)
  local copy = {}
  for i = 1, #list do
    copy[i] = list[i]
  end
  return start(gather, { n = 2, copy, at_once })
end

return M
