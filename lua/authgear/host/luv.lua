--- The host for programs on luv (libuv): a call made in a coroutine waits by yielding, and goes on from a callback of the
-- loop. `authgear.configure { host = require "authgear.host.luv", ... }`; see docs/event-loops.md.
-- Must never keep the loop running when nothing of ours is under way.
local uv = require "luv"
local loop = require "authgear.host.loop"
local scheduler = require "authgear.scheduler"

local group
local handles = {} -- poll, timer
local polled -- the descriptor that the poll handle is for

local function pump()
  group:pump()
end

-- A handle that can be used. The program may have closed ours, as those do that close every handle at their end.
local function usable(name, new, ...)
  local handle = handles[name]
  if not handle or handle:is_closing() then
    handle = assert(new(...))
    handles[name] = handle
  end
  return handle
end

local function stop(name)
  local handle = handles[name]
  if handle and not handle:is_closing() then
    handle:stop()
  end
end

local function arm_poll(descriptor)
  local poll = handles.poll
  if poll and descriptor ~= polled and not poll:is_closing() then
    poll:close() -- another engine: this process was forked
  end
  polled = descriptor
  if descriptor then
    usable("poll", uv.new_socket_poll, descriptor):start("r", pump)
  end
end

local adapter = { disarm = function()
  stop "poll"
  stop "timer"
end }

function adapter.arm(seconds, descriptor)
  arm_poll(descriptor)
  if seconds then
    uv.update_time() -- or the time counts from when the loop last looked at the clock
    usable("timer", uv.new_timer):start(math.ceil(seconds * 1000), 0, pump)
  else
    stop "timer"
  end
end

adapter.park = coroutine.yield

function adapter.unpark(ticket)
  local co = ticket.who
  if coroutine.status(co) == "suspended" then
    local ok, raised = coroutine.resume(co)
    if not ok then
      error(type(raised) == "string" and debug.traceback(co, raised) or raised, 0)
    end
  end
end

group = loop.group(adapter)
scheduler.on_work(function()
  group:arm()
end)

return loop.host(function(start, seconds)
  group:await(loop.coroutine "authgear.host.luv", start, seconds)
end)
