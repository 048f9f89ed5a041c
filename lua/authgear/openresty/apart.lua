--- Work that belongs to no request: a refresh, a question that many wait for. It runs in light threads of a timer, the runner, which
-- no request's end ends. One runner takes what comes in the meantime, so that nginx's limit on timers (lua_max_running_timers, 256) is
-- none on how much is done at once.
-- Must never keep a worker from ending once it has nothing to do.
local queues = require "authgear.queue"

local new_semaphore = require("ngx.semaphore").new

local exiting, timer_at = ngx.worker.exiting, ngx.timer.at

local M = {}

local IDLE = 1 -- seconds that a runner waits for more
local LATE = 1 -- seconds after which a timer has not come
local MOST = 200 -- light threads of one runner: nginx keeps what it knows of each until the timer is over

local queue = queues.new()
local runner -- takes what is in the queue, or will; nil: nobody
local start

local function safely(fn)
  local ok, raised = pcall(fn)
  if not ok then
    ngx.log(ngx.ERR, "authgear: an error in work of its own: ", tostring(raised))
  end
end

-- Begins what is in the queue. False: another has to go on with it.
local function take(self)
  while not queues.is_empty(queue) do
    if self.count == MOST then
      return false
    end
    self.count = self.count + 1
    ngx.thread.spawn(safely, queues.pop(queue))
  end
  return true
end

local function run(self)
  self.running = true
  repeat
    local goes_on = take(self) and not exiting() and self.semaphore:wait(IDLE)
  until not goes_on
  if runner == self then
    runner = nil
  end
  while not queues.is_empty(queue) and not runner and not start() do
    self.count = 0
    take(self)
  end
end

function start()
  local self = { semaphore = new_semaphore(), count = 0, asked = ngx.now() }
  local ok = timer_at(0, function()
    run(self)
  end)
  runner = ok and self
  return ok
end

-- nginx drops timers for which there is no room any more, and tells nobody but its log.
local function is_there()
  return runner and (runner.running or ngx.now() - runner.asked < LATE)
end

--- Has fn run, soon and to its end.
---@param fn fun()
---@return boolean ok false: it will not be
function M.run(fn)
  local there = is_there()
  if not there and not start() then
    return false
  end
  queues.push(queue, fn)
  if there then
    runner.semaphore:post(1)
  end
  return true
end

return M
