--- What is owed at the end of the Lua state: a token request that was sent is read and stored, though the state is being
-- closed (law 5). From when it is sent until its task is done there is a guard, an object newer than all that the task
-- needs; finalizers run newest first, so the guard's finds everything else still there, and runs the task to its end.
-- Must never run anything else at that time, nor longer than `close_timeout`.
local scheduler = require "authgear.current"

local M = {}

local owed = 0 -- tasks
local longest = 0 -- seconds
local guard -- the newest one; those before it are nobody's and do nothing

local function is_over()
  return owed == 0
end

-- Called by the collector, in the ordinary way for a guard that is not needed any more.
local function close(this)
  if this == guard and owed > 0 then
    pcall(scheduler.settle, is_over, longest)
  end
end

local new_guard

if newproxy then -- Lua 5.1: tables have no finalizers
  function new_guard()
    local proxy = newproxy(true)
    getmetatable(proxy).__gc = close
    return proxy
  end
else
  local Guard = { __gc = close }
  function new_guard()
    return setmetatable({}, Guard)
  end
end

--- The running task has sent what must not be lost.
---@param task authgear.scheduler.Task
---@param seconds number that the end of the state may wait for it
function M.owe(task, seconds)
  if not task.owed then
    owed = owed + 1
    task.owed = true
    local on_done = task.on_done
    task.on_done = function(done)
      owed = owed - 1
      if owed == 0 then
        guard, longest = nil, 0
      end
      if on_done then
        on_done(done)
      end
    end
  end
  longest = math.max(longest, seconds)
  guard = new_guard()
end

return M
