-- What the specs of the scheduler do with its tasks. Must never wait for ever: a task that is lost fails the test.

local scheduler = require "authgear.scheduler"

local tasks = {}

--- Runs until no task is left.
function tasks.run_all()
  assert(scheduler.block(function()
    return scheduler.count() == 0
  end, nil, 60), "a task never ends")
end

return tasks
