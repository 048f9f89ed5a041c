--- What the adapters to event loops have in common: which of the loop's coroutines wait for something of ours, and when the
-- loop has to call us. A group is the waiting coroutines of one loop; its adapter gives it three functions:
--   arm(seconds, descriptor)   have `pump` called when the seconds are over (nil: no such time) and when the descriptor
--                              is readable (nil: none), until the next arm; disarm(): don't call it any more
--   park(ticket)               yields to the loop; whoever resumes the coroutine too early does no harm
--   unpark(ticket)             resumes what was parked; what it raises is the loop's
-- Must never resume a coroutine from inside other work: who wakes one only notes that it can go on.
local core = require "authgear.core"
local running = require("authgear.running").running
local scheduler = require "authgear.scheduler"

local now = core.now

local M = {}

---@class authgear.host.Ticket one wait of a coroutine
---@field who any what the adapter knows the coroutine by
---@field co thread
---@field over boolean|nil it was woken, or its time is over
---@field left boolean|nil the coroutine has gone on

---@class authgear.host.Group
---@field loop { arm: function, disarm: function, park: function, unpark: function }
---@field waiting integer tickets that are not over
---@field ready authgear.host.Ticket[] those that are, in this order, but were not resumed yet
---@field pumping boolean|nil
local Group = {}
Group.__index = Group

--- The loop's coroutine that is running; an error if there is none.
---@param name string of the adapter's module
---@return thread
function M.coroutine(name)
  local co, is_main = coroutine.running()
  if co == nil or is_main then
    error(name .. ": this has to wait, so call it in a coroutine of the loop, or in authgear.async", 0)
  end
  return running()
end

--- The host that an adapter is: inside a task of the scheduler its calls are the scheduler's, elsewhere the loop's.
---@param wait fun(start: nil|fun(wake: function), seconds: number|nil) lets the loop's running coroutine wait
---@return authgear.Host
function M.host(wait)
  local host = { engine = true }

  function host.await(start, seconds)
    if scheduler.current then
      scheduler.await(start, seconds)
    else
      wait(start, seconds)
    end
  end

  function host.sleep(seconds)
    if scheduler.current then
      scheduler.sleep(seconds)
    else
      wait(nil, seconds)
    end
  end

  function host.spawn(fn)
    scheduler.spawn(fn, true)
  end

  return host
end

function M.group(loop)
  return setmetatable({ loop = loop, waiting = 0, ready = {} }, Group)
end

--- Tells the loop when to call pump. Does nothing inside pump, which does it at its end.
function Group:arm()
  if self.pumping then
    return
  elseif self.ready[1] then
    self.loop.arm(0, scheduler.descriptor())
  elseif self.waiting > 0 or scheduler.pending() then
    self.loop.arm(scheduler.due(), scheduler.descriptor())
  else
    self.loop.disarm()
  end
end

local function finish(self, ticket)
  if not ticket.over then
    ticket.over = true
    if ticket.parked then
      self.waiting = self.waiting - 1
      self.ready[#self.ready + 1] = ticket
      self:arm()
    end
  end
end

--- Lets a coroutine wait until wake is called or the seconds are over: see docs/hosts.md.
---@param who any what the adapter is to know the running coroutine by
---@param start nil|fun(wake: function)
---@param seconds number|nil
function Group:await(who, start, seconds)
  -- With the coroutine, so that one that nobody else holds stays until its news: there would be none of a collected job,
  -- and the loop would wait for them for ever.
  local ticket = { who = who, co = coroutine.running() }
  local function over()
    finish(self, ticket)
  end
  if start then
    start(over)
  end
  if ticket.over then
    return
  end
  ticket.parked = true
  self.waiting = self.waiting + 1
  local timer = seconds and scheduler.set_timer { at = now() + seconds, wake = over }
  self:arm()
  repeat
    self.loop.park(ticket)
  until ticket.over
  ticket.left = true
  if timer then
    scheduler.drop_timer(timer)
  end
end

-- Resumes those that are ready now. One that raises doesn't keep the others from their turn.
local function unpark_all(self)
  local due = self.ready
  self.ready = {}
  for i, ticket in ipairs(due) do
    if not ticket.left then
      local ok, raised = pcall(self.loop.unpark, ticket)
      if not ok then
        local rest = { (unpack or table.unpack)(due, i + 1) }
        for _, later in ipairs(self.ready) do
          rest[#rest + 1] = later
        end
        self.ready = rest
        return raised
      end
    end
  end
end

local function move_on(self)
  scheduler.run()
  return unpark_all(self)
end

--- Moves everything on that can go on. Raises what the loop is to hear of.
function Group:pump()
  if self.pumping then
    return -- one of the coroutines runs the loop itself
  end
  self.pumping = true
  local _, raised = pcall(move_on, self)
  self.pumping = nil
  self:arm()
  if raised ~= nil then
    error(raised, 0)
  end
end

return M
