--- The scheduler: our own tasks, the timers and the engine's jobs they wait for. One per Lua state. It moves only when
-- `run` is called, and `run` never waits: a frame loop, an event loop (see host/) or a blocking wait calls it.
-- Must never know what a task does, nor look at all tasks for the sake of one.
--
-- A task that waits yields exactly one value, the sentinel `pending`; whenever it is resumed it looks again whether what
-- it waits for has come. So a scheduler of the program's own, between the task and a coroutine inside it, may pass the
-- value on or resume at any time. A yield of anything else means "go on with the next run".
local core = require "authgear.core"
local queue = require "authgear.queue"
local timers = require("authgear.timers").new()

local push, pop, is_empty = queue.push, queue.pop, queue.is_empty
local create, resume = coroutine.create, coroutine.resume
local now, clock = core.now, core.clock

local FRAME = 0.003 -- seconds: whoever comes back sooner is waiting
local PASSES = 8 -- in one run: a task that is woken by another goes on in the same run, but not for ever

local M = require "authgear.current"
local PENDING = M.PENDING

---@class authgear.scheduler.Task
---@field fn function
---@field args table|nil its arguments, `n` of them
---@field internal boolean|nil of the SDK's own (a refresh, say): runs also while the program blocks outside all tasks
---@field thread thread
---@field started boolean|nil
---@field running boolean|nil
---@field queued boolean|nil is in a queue of those that can go on
---@field done boolean|nil
---@field ok boolean|nil fn returned; false: it raised `raised`
---@field results table|nil what it returned, `n` of them
---@field raised any
---@field cancelled boolean|nil
---@field number integer its place in `tasks`
---@field job userdata|nil the engine's job that is its own
---@field jobs table<userdata, boolean>|nil more such, where coroutines of the program's own in it each wait for one
---@field on_done nil|fun(task: authgear.scheduler.Task)
---@field owed boolean|nil has a request out whose answer must not be lost: see closing.lua

local count = 0 -- tasks that are not done
local tasks, free = { n = 0 }, { n = 0 } -- those that are not done, by their numbers (false: none); the numbers that are free
local watchers = {} -- id of a job that is no task's -> the function to call
local later = { n = 0 } -- tasks that yielded for reasons of their own
local ours, users = queue.new(), queue.new() -- those that can go on
local working = false
local listeners = {} -- of on_work
local is_patient = false -- what the engine was told
local framed = -FRAME -- when `frame` was called last

local function tell()
  if not working and listeners[1] then
    for _, fn in ipairs(listeners) do
      fn()
    end
  end
end

-- Loops that go on for our sake must hear, too, when there is nothing of ours any more.
local function tell_if_over()
  if count == 0 and next(watchers) == nil then
    tell()
  end
end

--- Has the task go on with the next run. It looks by itself whether that helps.
---@param task authgear.scheduler.Task
function M.ready(task)
  if task.queued or task.done then
    return
  end
  task.queued = true
  push(task.internal and ours or users, task)
  tell()
end
local ready = M.ready

local function close_jobs(task)
  local job, jobs = task.job, task.jobs
  if job then
    task.job = nil
    job:close()
  end
  if jobs then
    task.jobs = nil
    for other in pairs(jobs) do
      other:close()
    end
  end
end

local function finish(task, ok, raised)
  if task.done then
    return
  end
  task.done, task.running = true, nil
  task.ok = ok
  if not ok then
    task.raised = raised
  end
  count = count - 1
  close_jobs(task)
  tasks[task.number] = false
  free.n = free.n + 1
  free[free.n] = task.number
  local on_done = task.on_done
  if on_done then
    task.on_done = nil
    on_done(task)
  end
end

local function keep(task, ...)
  task.results = { n = select("#", ...), ... }
end

local unpack = table.unpack or unpack

local function body(task)
  local args = task.args
  task.args = nil
  if args then
    return keep(task, task.fn(unpack(args, 1, args.n)))
  end
  return keep(task, task.fn())
end

-- Gives it a place among the tasks. A job of its own has the number for a tag; if it belonged to another before, that costs
-- no more than a look for nothing.
local function number(task)
  local n = free.n
  if n > 0 then
    free.n = n - 1
    task.number = free[n]
  else
    tasks.n = tasks.n + 1
    task.number = tasks.n
  end
  tasks[task.number] = task
end

--- Makes a task that begins with the next run.
---@param fn function
---@param internal boolean|nil
---@param args table|nil
---@param on_done nil|fun(task: authgear.scheduler.Task) called once, when it is over; must not raise
---@return authgear.scheduler.Task
function M.spawn(fn, internal, args, on_done)
  local task = { fn = fn, args = args, internal = internal, on_done = on_done, thread = create(body) }
  count = count + 1
  number(task)
  ready(task)
  return task
end

local function step(task)
  local before = M.current
  task.running = true
  M.current = task
  local ok, what
  if task.started then
    ok, what = resume(task.thread)
  else
    task.started = true
    ok, what = resume(task.thread, task)
  end
  M.current = before
  task.running = nil
  if task.results or not ok then
    finish(task, ok, what)
  elseif what ~= PENDING then
    M.postpone(task)
  end
end

-- Resumes those that are in the queue now. False: the time is over.
local function drain(from, only_owed)
  for _ = from.head, from.tail do
    local task = pop(from)
    if not task then
      break
    elseif task.running or (only_owed and not task.owed) then
      push(from, task)
    elseif not task.done then
      task.queued = nil
      step(task)
      if M.is_late() then
        return false
      end
    end
  end
  return true
end

-- Picks up what the engine has to say.
local function collect()
  local engine = M.engine
  if not engine then
    return
  end
  local id, tag = engine:ready()
  while id do
    local task, watcher = tag and tasks[tag], watchers[id]
    if task then
      ready(task)
    elseif watcher then
      watchers[id] = nil
      watcher()
    end
    id, tag = engine:ready()
  end
end

local function collect_timers()
  local timer = timers:first()
  if not timer then
    return
  end
  local time = now()
  while timer and timer.at <= time do
    timers:pop()
    if timer.wake then
      timer.wake()
    else
      ready(timer.task)
    end
    timer = timers:first()
  end
end

local function collect_later()
  local n = later.n
  later.n = 0
  for i = 1, n do
    local task = later[i]
    later[i] = nil
    ready(task)
  end
end

-- One run: some passes over those that can go on. Most have nothing to do, in a frame loop, where the caches are cold each
-- time: they call as few functions as can be.
local function work(time, only_ours, only_owed)
  M.last = time
  M.ticks = M.ticks + 1
  if later.n > 0 then
    collect_later()
  end
  if timers.n > 0 then
    collect_timers()
  end
  for _ = 1, PASSES do
    collect()
    local has_ours = ours.head <= ours.tail
    if has_ours and not drain(ours, only_owed) then
      return
    end
    local has_users = not only_ours and users.head <= users.tail
    if has_users and not drain(users) then
      return
    elseif not (has_ours or has_users) then
      return
    end
  end
end

-- What an interruption (a Ctrl-C raises anywhere in Lua code) has left half done.
local function recover(task)
  M.current = nil
  if task and not task.done then
    task.running = nil
    if coroutine.status(task.thread) ~= "dead" then
      ready(task)
    elseif task.results then
      finish(task, true)
    else
      finish(task, false, "interrupted")
    end
  end
end

--- May what is asked of the engine from now on begin some milliseconds later?
---@param patient boolean
function M.be_patient(patient)
  local engine = M.engine
  if engine and patient ~= is_patient then
    is_patient = patient
    engine:patient(patient)
  end
end

-- Makes one run: see work.
function M.guarded(...)
  local had_work = count > 0 or next(watchers) ~= nil
  working = true
  local ok, raised = pcall(work, ...)
  working = false
  if had_work and count == 0 then
    tell_if_over()
  end
  if not ok then
    recover(M.current)
    error(raised, 0)
  end
end

-- Is this call made from inside the run of the current task?
local function is_inside()
  local task = M.current
  local status = coroutine.status(task.thread)
  if status == "running" or status == "normal" then
    return true
  end
  recover(task)
  return false
end

local function run(until_when)
  if not (M.current and is_inside()) then
    M.guarded(until_when)
    if M.after_run then
      M.after_run(count)
    end
  end
  return count
end

--- Moves everything on that can go on, and never waits. Does nothing inside a task. Raises what a task of the program's
--- own raised, when nobody can ask for it any more (`after_run` of async.lua, which is there when there is such an error).
---@param budget number|nil seconds after which no other task is begun with, and no request sent
---@return integer count tasks that are still there
function M.run(budget)
  M.be_patient(false)
  return run(budget and clock() + budget)
end

--- The same for who comes back many times a second, once a frame, and so need not have the engine's thread woken, which
--- costs more than all else here: it finds by itself what is asked for.
---@param budget number|nil as run's
---@return integer count tasks that are still there
function M.frame(budget)
  local time = clock()
  M.be_patient(time - framed >= FRAME)
  framed = time
  return run(budget and time + budget)
end

--- How many tasks there are.
function M.count()
  return count
end

--- Is there nothing that could go on at once?
---@param only_ours boolean|nil of the SDK's own
function M.is_idle(only_ours)
  return is_empty(ours) and (only_ours or (is_empty(users) and later.n == 0))
end

--- Seconds until the next timer, or nil.
function M.due_timer()
  local timer = timers:first()
  return timer and math.max(timer.at - now(), 0)
end

--- Seconds until something has to be done by itself: 0: now; nil: only news of the engine can change anything.
---@return number|nil
function M.due()
  if not M.is_idle() then
    return 0
  end
  return M.due_timer()
end

--- Is there anything of ours that has not come to its end?
---@return boolean
function M.pending()
  return count > 0 or next(watchers) ~= nil
end

--- Calls fn when there is new work while no run is under way, and when there is none any more: a loop arms itself then. It
--- must not raise, nor run tasks.
---@param fn function
---@return function remove
function M.on_work(fn)
  listeners[#listeners + 1] = fn
  return function()
    for i, listener in ipairs(listeners) do
      if listener == fn then
        table.remove(listeners, i)
        return
      end
    end
  end
end

--- Has fn called from `run`, once, when the job has news. News that came before are lost: step the job first.
function M.watch(job, fn)
  watchers[job:id()] = fn
  tell()
end

--- Not any more.
function M.unwatch(job)
  watchers[job:id()] = nil
  tell_if_over()
end

--- The job is the task's: its end, or cancelling it, closes the job. News of it have the task go on if its tag is the
--- task's number.
function M.keep(task, job)
  if not task.job then
    task.job = job
    return
  end
  local jobs = task.jobs
  if not jobs then
    jobs = {}
    task.jobs = jobs
  end
  jobs[job] = true
end

--- Makes a job the running task's.
function M.adopt(job)
  local task = M.current
  job:tag(task.number)
  M.keep(task, job)
end

--- It is closed, or will be at once.
function M.release(task, job)
  if task.job == job then
    task.job = nil
  elseif task.jobs then
    task.jobs[job] = nil
  end
end

--- Has a task go on at some time.
---@param timer authgear.Timer
function M.set_timer(timer)
  if timers:add(timer) then
    tell()
  end
  return timer
end

--- It is not needed any more.
function M.drop_timer(timer)
  timers:drop(timer)
end

--- For a coroutine inside a task that goes on though no run was made since it yielded `tick`: somebody's scheduler does not
--- let us run. So what it may wait for is picked up here, and the SDK's own tasks are resumed.
function M.run_inside()
  local before = M.current
  M.ticks = M.ticks + 1
  collect_timers()
  collect()
  drain(ours)
  M.current = before
end

--- Is the time over that this run was given?
function M.is_late()
  local last = M.last
  return last ~= nil and clock() >= last
end

--- Has a task go on with the next run.
---@param task authgear.scheduler.Task
function M.postpone(task)
  later.n = later.n + 1
  later[later.n] = task
end

--- The task has come to its end.
M.finish = finish

--- Ends a task: its jobs are closed at once; it finds out when it goes on. Those of the SDK's own are not cancelled.
---@param task authgear.scheduler.Task
function M.cancel(task)
  if task.done or task.cancelled or task.internal then
    return
  end
  task.cancelled = true
  close_jobs(task)
  if task.started then
    ready(task)
  else
    finish(task, true)
  end
end

require "authgear.waits"

return M
