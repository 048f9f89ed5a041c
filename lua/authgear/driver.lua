--- The driver: carries out the effects that flows ask for, through the runtime's ports, and
-- yields wherever they yield. All that decides is in C; what is asked for stands in the flow,
-- so a driver that was interrupted begins again with `core.want`.
-- Must never use pcall around what may yield, except authgear.protect.
local core = require "authgear.core"
local current = require "authgear.current"
local errors = require "authgear.lazy" "authgear.errors"
local protect = require "authgear.protect"
local record = require "authgear.record"
local running = require("authgear.running").running

local fx = core.fx
local want, feed, feed_answer, feed_error = core.want, core.feed, core.feed_answer, core.feed_error

local MAX_INTERRUPTIONS = 8
local POLL = 0.1 -- seconds between two looks at `cancelled`
local TRIES_BEFORE_COLLECTING = 64 -- at the lock's pace about 1.5 seconds

local M = {}
local on = {}

--- What a run of a flow keeps beside the flow itself.
---@class authgear.Run
---@field deadline number|nil on the boot clock, seconds
---@field cancelled nil|fun(): boolean the caller's
---@field sent boolean|nil a token request has gone out: the flow must be run to its end (law 5)
---@field prepared table|nil the transfer under way, which holds its answer
---@field prepared_for string|nil the body it was made for
---@field answer table|nil the last answer of a transfer that must not be lost
---@field fetch table|nil what authgear.fetch keeps for its own sends
---@field ended nil|fun(finished: boolean) called when the flow is over, before listeners are; false: it was abandoned

local function closed(flow)
  return feed_error(flow, "closed", "the client was closed", false)
end

on[fx.LOOK] = record.look
on[fx.LOAD] = record.load
on[fx.STORE] = record.store
on[fx.DELETE] = record.delete
on[fx.KEEP] = record.keep
on[fx.TAKE] = record.take

-- The lock has one holder within a runtime: a flow, held weakly, so that one whose coroutine was thrown
-- away is found out. `lock_taken` is set before the storage is asked and cleared after it has let go: an
-- interruption in between leaves it set, and letting go once more does no harm.
local function unlock(runtime)
  if runtime.lock_taken then
    runtime.storage:unlock()
    runtime.lock_taken = false
  end
  runtime.lock.flow = nil
end

local function is_held_by_another(lock, flow)
  local holder = lock.flow
  return holder ~= nil and holder ~= flow
end

local function this_thread()
  return running() or "main"
end

-- Does the holder stand below us on this coroutine's stack? Then it goes on when we return, and not before: a function of the
-- storage calls the client, or a finalizer that was run in the middle.
local function is_below(lock)
  if lock.thread ~= this_thread() then
    return false
  elseif lock.looked_for ~= lock.flow then -- once for each, since finalizers run in the collector
    lock.looked_for = lock.flow
    collectgarbage() -- one that is gone has left its thread to others
    collectgarbage()
  end
  return lock.flow ~= nil
end

-- Has the caller, whose thread this is, no time left, or cancelled? What has been sent goes on all the same (law 5).
local function given_up(runtime, run)
  if run.sent then
    return nil
  elseif run.deadline and runtime.now() >= run.deadline then
    return "timeout", "the time for this call is over"
  elseif current.is_cancelled() or (run.cancelled and run.cancelled()) then
    return "cancelled", "the call was cancelled"
  end
end

on[fx.LOCK] = function(runtime, flow, run)
  if runtime.closed and not run.sent then
    return closed(flow)
  end
  local why, what = given_up(runtime, run)
  if why then
    return feed_error(flow, why, what)
  end
  local lock = runtime.lock
  if is_held_by_another(lock, flow) and is_below(lock) then
    return feed_error(flow, "host", "called from inside the work that it would have to wait for", false)
  elseif is_held_by_another(lock, flow) then
    run.lock_tries = (run.lock_tries or 0) + 1
    if run.lock_tries % TRIES_BEFORE_COLLECTING == 0 then
      collectgarbage() -- the holder's coroutine may have been thrown away; the next time finds out
    end
    return feed(flow, false)
  end
  unlock(runtime) -- what a flow that is gone, or this one before an interruption, left behind
  lock.flow, lock.thread = flow, this_thread()
  runtime.lock_taken = true
  local taken, code, message, retryable = runtime.storage:try_lock()
  if not taken then
    runtime.lock_taken = false
    lock.flow = nil
  end
  return record.feed_done(flow, taken, code, message, retryable)
end

--- Can a call made here and now not wait at all? nil: it can.
---@return string|nil message
function M.refusal(runtime)
  local refuses = runtime.host.refuses
  return refuses and refuses() or nil
end

on[fx.UNLOCK] = function(runtime, flow)
  unlock(runtime)
  return feed(flow)
end

local function set_time(runtime)
  local clock = runtime.clock
  if clock then
    core.set_time(runtime.core, clock.monotonic(), clock.wall())
  end
end

-- A pause that would outlast the caller's time is not begun: the flow says then what went wrong before it.
on[fx.SLEEP] = function(runtime, flow, run, seconds)
  if runtime.closed and not run.sent then
    return closed(flow)
  end
  local refusal = M.refusal(runtime)
  if refusal then
    return feed_error(flow, "phase", refusal)
  end
  local last = runtime.now() + seconds
  if run.deadline and not run.sent and last >= run.deadline then
    return feed_error(flow, "timeout", "the time for this call would be over")
  elseif not run.cancelled then
    runtime.host.sleep(seconds)
    set_time(runtime)
    return feed(flow)
  end
  repeat
    local why, what = given_up(runtime, run)
    if why then
      return feed_error(flow, why, what)
    end
    runtime.host.sleep(math.min(seconds, POLL))
    seconds = last - runtime.now()
  until seconds <= 0
  set_time(runtime)
  return feed(flow)
end

on[fx.REFRESH] = function(runtime, flow, run, refused)
  if runtime.closed then
    return closed(flow)
  end
  local other, err = runtime.refresh(runtime, refused, run)
  if not other then
    return feed_error(flow, err.code, err.message, err.retryable)
  end
  return core.feed_flow(flow, other)
end

on[fx.END] = function(runtime, flow, _, access_token)
  local ok, err = runtime.end_session(runtime, false, false, access_token)
  if not ok then
    return feed_error(flow, err.code, err.message, err.retryable)
  end
  return feed(flow)
end

on[fx.ASK] = function(runtime, flow, run)
  return run.fetch.ask(runtime, flow, run)
end

-- A request whose answer must be read whatever happens: the answer stays with the transfer, so an
-- error that is raised between two lines here (a Ctrl-C) does not lose it.
local function send_kept(runtime, flow, run, request)
  run.first_sent = run.first_sent or runtime.now() -- tries and pauses have one time limit together
  request.timeout = math.max(run.first_sent + runtime.refresh_timeout - runtime.now(), 0.001)
  if not run.prepared or run.prepared_for ~= request.body then
    M.forget(run)
    local prepared, code, message, retryable = runtime.transport:prepare(request)
    if not prepared then
      return nil, code, message, retryable
    end
    run.prepared = prepared
    run.prepared_for = request.body
  end
  run.sent = true
  if current.current then
    require("authgear.closing").owe(current.current, runtime.close_timeout)
  elseif runtime.host.owe then
    runtime.host.owe(runtime, flow, run)
  end
  run.prepared:perform()
  return run.prepared:result()
end

-- Wipes the transfer that was kept.
function M.forget(run)
  local prepared = run.prepared
  run.prepared, run.prepared_for = nil, nil
  if prepared and prepared.close then
    prepared:close()
  end
end

local function feed_response(flow, response, code, message, retryable, sent)
  if not response then
    return feed_error(flow, code or "network", message, retryable, sent)
  end
  return feed_answer(flow, response.status, response.headers, response.body)
end

-- Nothing is under way any more that must be read: what the server has seen, if anything, it has refused.
local function nothing_to_keep(run, ...)
  run.sent = false
  M.forget(run)
  return ...
end

-- A request of the protocol's own (discovery, tokens, user info).
local function send_protocol(runtime, flow, run, request, keep_going)
  if keep_going then
    local response, code, message, retryable, sent = send_kept(runtime, flow, run, request)
    run.answer = response
    if response and response.status == 200 then
      return feed_answer(flow, 200, response.headers, response.body)
    end
    return nothing_to_keep(run, feed_response(flow, response, code, message, retryable, sent))
  end
  request.timeout, request.cancelled = runtime.timeout, run.cancelled
  if run.deadline then
    request.timeout = run.deadline - runtime.now()
    if request.timeout <= 0 then
      return feed_error(flow, "timeout", "the time for this call is over")
    end
  end
  return feed_response(flow, runtime.transport:send(request))
end

on[fx.SEND] = function(runtime, flow, run, method, url, headers, body, max_body, fresh, secret, keep_going,
                       sends_body, again)
  if again then
    return feed_response(flow, run.answer)
  elseif runtime.closed and not run.sent then
    return closed(flow)
  elseif current.is_cancelled() and not run.sent then
    return feed_error(flow, "cancelled", "the task was cancelled")
  end
  local refusal = M.refusal(runtime)
  if refusal then
    return feed_error(flow, "phase", refusal, false, false)
  elseif run.fetch and sends_body then
    return run.fetch.send(runtime, flow, run, method, url, headers, max_body, fresh, secret)
  end
  return send_protocol(runtime, flow, run, {
    method = method, url = url, headers = headers, body = body, max_body = max_body, fresh = fresh, secret = secret,
    connect_timeout = runtime.connect_timeout,
  }, keep_going)
end

-- Steps the flow until it is finished. True: well.
local function drive(runtime, flow, run)
  set_time(runtime)
  local what, a, b, c, d, e, f, g, h, i, j = want(flow)
  while what ~= fx.DONE and what ~= fx.FAIL do
    set_time(runtime)
    what, a, b, c, d, e, f, g, h, i, j = on[what](runtime, flow, run, a, b, c, d, e, f, g, h, i, j)
  end
  return what == fx.DONE
end

-- Drives a flow so that an error raised in the middle (a Ctrl-C, a debugger's hook, no memory in Lua) does not
-- stop it once a token request has been sent.
---@return boolean finished
---@return any well did the flow end well? When it did not finish: the first error
---@return boolean|nil failed it finished, but the error is still to be raised
---@return any failure
local function drive_on(runtime, flow, run, shielded)
  local failed, failure = false, nil
  for _ = 1, MAX_INTERRUPTIONS do
    local ok, result = protect(drive, runtime, flow, run)
    if ok then
      return true, result, failed, failure
    end
    if not failed then
      failed, failure = true, result
    end
    if not (shielded and run.sent) then
      break
    end
  end
  return false, failure
end

-- The ports are let go of when the last run of a closed client is over; a machine's runs are among its client's.
function M.close_if_idle(runtime)
  runtime = runtime.parent or runtime
  if not runtime.closed or next(runtime.runs) ~= nil or runtime.let_go then
    return
  end
  runtime.let_go = true
  if runtime.storage.close then
    runtime.storage:close()
  end
  for _, machine in pairs(runtime.machines or {}) do
    if machine.storage.close then
      machine.storage:close()
    end
  end
  if runtime.transport.close then
    runtime.transport:close()
  end
end

local function tidy_up(runtime, flow, run, finished)
  if runtime.lock.flow == flow then
    unlock(runtime) -- it was abandoned
  end
  run.answer = nil
  M.forget(run)
  runtime.runs[run] = nil
  M.close_if_idle(runtime)
  if run.ended then
    run.ended(finished)
  end
end

local function is_listening(client, fn)
  for _, listener in ipairs(client._listeners) do
    if listener == fn then
      return true
    end
  end
end

-- Each listener's call stands in a queue of its own and is taken off before it is made. So every listener
-- hears of the events in their order, also when a listener calls the client again, yields, or raises.
local function queue_events(runtime)
  local due = runtime.due
  local state, reason = core.take_event(runtime.core)
  while state do
    runtime.log("info", "session state " .. state .. " (" .. reason .. ")")
    for _, listener in ipairs(runtime.client._listeners) do
      due[#due + 1] = { listener, state, reason }
    end
    state, reason = core.take_event(runtime.core)
  end
end

--- Brings the client up to date with its session and delivers the events that are due. A listener may call the
--- client again, change the list, or raise: the error goes to the caller, and what is still due is delivered with the
--- next call.
function M.settle(runtime)
  if runtime.closed then
    return
  end
  record.sync(runtime)
  queue_events(runtime)
  while runtime.due[1] do
    local call = table.remove(runtime.due, 1)
    if is_listening(runtime.client, call[1]) then
      call[1](runtime.client, call[2], call[3])
    end
    if runtime.closed then
      return
    end
    queue_events(runtime)
  end
end

--- The result of a finished flow.
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.result(flow)
  if core.want(flow) == fx.DONE then
    return true
  end
  return nil, errors.of_flow(flow)
end

--- Runs a flow to its end on the current task. What user code raised, or a Ctrl-C, is raised again after the flow
--- has let go of everything, or, when `shielded`, after it has come to its end.
---@param shielded boolean|nil must it be run to its end once a token request was sent?
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.run(runtime, flow, run, shielded)
  runtime.runs[run] = true
  local finished, well, failed, failure = drive_on(runtime, flow, run, shielded)
  for _ = 1, MAX_INTERRUPTIONS do
    local ok, raised = protect(tidy_up, runtime, flow, run, finished)
    if ok then
      break
    elseif finished and not failed then
      failed, failure = true, raised
    end
  end
  if not finished then
    failed, failure = true, well
  end
  M.settle(runtime)
  if failed then
    error(failure, 0)
  elseif well then
    return true
  end
  return nil, errors.of_flow(flow)
end

--- Makes, of a function that runs flows, one that takes a flow as core makes it, or why there is none, and gives it back
--- once it has ended well.
---@param run fun(runtime: table, flow: userdata, run: authgear.Run): boolean|nil, authgear.Error|nil
---@return fun(runtime: table, run: authgear.Run, flow: userdata|nil, code: string, message: string, retryable: boolean):
--- userdata|nil, authgear.Error|nil
function M.finishing(run)
  return function(runtime, how, flow, code, message, retryable)
    if not flow then
      return nil, errors.new(code, message, retryable)
    end
    local ok, err = run(runtime, flow, how)
    if not ok then
      return nil, err
    end
    return flow
  end
end

M.finish = M.finishing(M.run)

return M
