--- The scheduler's table, before the scheduler is loaded: whoever only has to ask "is this inside a task of ours?" reads
-- `current` here, which costs a program that never goes asynchronous nothing. lua/authgear/scheduler.lua fills it.
-- Must never load anything but the core.

---@class authgear.scheduler
---@field current authgear.scheduler.Task|nil the task that is being resumed
---@field engine userdata|nil the engine, once there is one
---@field last number|nil when the time of the run under way is over; nil: never
---@field ticks integer runs made
---@field PENDING table
local M = { ticks = 0 }

--- What a task of ours yields when it waits: `authgear.pending`.
M.PENDING = require("authgear.core").pending

--- Has the running task been cancelled? False outside all tasks.
---@return boolean
function M.is_cancelled()
  local task = M.current
  return task ~= nil and task.cancelled == true
end

return M
