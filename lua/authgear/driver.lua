--- The driver: carries out the effects that flows ask for, through the runtime's ports, and
-- yields wherever they yield. All that decides is in C; what is asked for stands in the flow,
-- so a driver that was interrupted begins again with `core.want`.
-- Must never use pcall around what may yield, except authgear.protect.
local core = require "authgear.core"
local errors = require "authgear.errors"
local protect = require "authgear.protect"

local fx = core.fx
local want, feed, feed_text, feed_answer, feed_error =
  core.want, core.feed, core.feed_text, core.feed_answer, core.feed_error

local MAX_INTERRUPTIONS = 8

local M = {}
local on = {}

--- What a run of a flow keeps beside the flow itself.
---@class authgear.Run
---@field deadline number|nil on the boot clock, seconds
---@field sent boolean|nil a token request has gone out: the flow must be run to its end (law 5)
---@field prepared table|nil the transfer under way, which holds its answer
---@field prepared_for string|nil the body it was made for
---@field answer table|nil the last answer of a transfer that must not be lost
---@field fetch table|nil what authgear.fetch keeps for its own sends

local function closed(flow)
  return feed_error(flow, "closed", "the client was closed", false)
end

-- Hands in the result of a storage's function: done, or nil, code, message, retryable.
local function feed_done(flow, done, code, message, retryable)
  if done == nil then
    return feed_error(flow, code or "storage", message, retryable)
  end
  return feed(flow, done)
end

on[fx.LOOK] = function(runtime, flow)
  return feed_done(flow, runtime.storage:changed())
end

on[fx.LOAD] = function(runtime, flow)
  local text, code, message, retryable = runtime.storage:get()
  if text == nil and code ~= nil then
    return feed_error(flow, code, message, retryable)
  end
  return feed_text(flow, text)
end

on[fx.STORE] = function(runtime, flow, _, text)
  return feed_done(flow, runtime.storage:set(text))
end

on[fx.DELETE] = function(runtime, flow)
  return feed_done(flow, runtime.storage:del())
end

on[fx.LOCK] = function(runtime, flow, _, orphaned)
  if runtime.closed then
    return closed(flow)
  elseif runtime.lock_holder == flow then
    return feed(flow, true) -- taken before an interruption
  end
  local storage = runtime.storage
  if orphaned then
    storage:unlock()
    runtime.lock_holder = nil
  end
  local taken, code, message, retryable = storage:try_lock()
  if taken then
    runtime.lock_holder = flow
  end
  return feed_done(flow, taken, code, message, retryable)
end

on[fx.UNLOCK] = function(runtime, flow)
  runtime.lock_holder = nil
  runtime.storage:unlock()
  return feed(flow)
end

on[fx.SLEEP] = function(runtime, flow, run, seconds)
  if runtime.closed and not run.sent then
    return closed(flow)
  end
  runtime.host.sleep(seconds)
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

on[fx.ASK] = function(runtime, flow, run)
  return run.fetch.ask(runtime, flow, run)
end

-- A request whose answer must be read whatever happens: the answer stays with the transfer, so an
-- error that is raised between two lines here (a Ctrl-C) does not lose it.
local function send_kept(runtime, run, request)
  local transport = runtime.transport
  request.timeout = runtime.refresh_timeout
  if not transport.prepare then
    run.sent = true
    return transport:send(request)
  end
  if run.prepared_for ~= request.body then
    M.forget(run)
    local prepared, code, message, retryable = transport:prepare(request)
    if not prepared then
      return nil, code, message, retryable
    end
    run.prepared, run.prepared_for, run.sent = prepared, request.body, true
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

local function feed_response(flow, response, code, message, retryable)
  if not response then
    return feed_error(flow, code or "network", message, retryable)
  end
  return feed_answer(flow, response.status, response.headers, response.body)
end

-- A request of the protocol's own (discovery, tokens, user info).
local function send_protocol(runtime, flow, run, request, keep_going)
  if keep_going then
    local response, code, message, retryable = send_kept(runtime, run, request)
    run.answer = response
    return feed_response(flow, response, code, message, retryable)
  end
  if run.deadline then
    request.timeout = run.deadline - core.now()
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
  elseif run.fetch and sends_body then
    return run.fetch.send(runtime, flow, run, method, url, headers, max_body, secret)
  end
  return send_protocol(runtime, flow, run, {
    method = method, url = url, headers = headers, body = body, max_body = max_body, fresh = fresh, secret = secret,
    connect_timeout = runtime.connect_timeout,
  }, keep_going)
end

-- Steps the flow until it is finished. True: well.
local function drive(runtime, flow, run)
  local clock = runtime.clock
  if clock then
    core.set_time(runtime.core, clock.monotonic(), clock.wall())
  end
  local what, a, b, c, d, e, f, g, h, i, j = want(flow)
  while what ~= fx.DONE and what ~= fx.FAIL do
    if clock then
      core.set_time(runtime.core, clock.monotonic(), clock.wall())
    end
    what, a, b, c, d, e, f, g, h, i, j = on[what](runtime, flow, run, a, b, c, d, e, f, g, h, i, j)
  end
  return what == fx.DONE
end

-- What is cleaned up when a flow cannot be run to its end.
local function abandon(runtime, flow)
  if runtime.lock_holder == flow then
    runtime.lock_holder = nil
    protect(runtime.storage.unlock, runtime.storage)
  end
end

-- Runs a flow so that an error raised in the middle (a Ctrl-C, a debugger's hook, no memory in Lua)
-- does not stop it once a token request has been sent; the error is raised afterwards.
local function drive_shielded(runtime, flow, run)
  local failed, failure = false, nil
  for _ = 1, MAX_INTERRUPTIONS do
    local ok, result = protect(drive, runtime, flow, run)
    if ok then
      if failed then
        runtime.running = runtime.running - 1
        M.settle(runtime)
        error(failure, 0)
      end
      return result
    end
    if not failed then
      failed, failure = true, result
    end
    if not run.sent then
      break
    end
  end
  abandon(runtime, flow)
  runtime.running = runtime.running - 1
  M.settle(runtime)
  error(failure, 0)
end

--- Brings the client up to date with its session and delivers the events that are due.
function M.settle(runtime)
  local client = runtime.client
  if runtime.closed then
    return
  end
  local version = core.version(runtime.core)
  if client._runtime == runtime and client._version ~= version then
    client._version = version
    client._access_token = core.access_token(runtime.core)
  end
  if not runtime.delivering then
    M.deliver(runtime)
  end
end

--- Calls the listeners, one event at a time. A listener may call the client again, change the list, or raise:
--- the error goes to the caller, and what is still due is delivered with the next call.
function M.deliver(runtime)
  local state, reason = core.take_event(runtime.core)
  while state do
    runtime.log("info", "session state " .. state .. " (" .. reason .. ")")
    local listeners = runtime.client._listeners
    for i = 1, #listeners do
      local listener = listeners[i]
      if listener then
        listener(runtime.client, state, reason)
      end
    end
    if runtime.closed then
      return
    end
    state, reason = core.take_event(runtime.core)
  end
end

--- Runs a flow to its end on the current task.
---@param shielded boolean must it be run to its end once a token request was sent?
---@return boolean|nil ok
---@return authgear.Error|nil err
function M.run(runtime, flow, run, shielded)
  local ok
  runtime.running = runtime.running + 1
  if shielded then
    ok = drive_shielded(runtime, flow, run)
  else
    ok = drive(runtime, flow, run)
  end
  runtime.running = runtime.running - 1
  run.answer = nil
  M.forget(run)
  M.settle(runtime)
  if ok then
    return true
  end
  return nil, errors.of_flow(flow)
end

return M
