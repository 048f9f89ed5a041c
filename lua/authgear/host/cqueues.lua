--- The host for programs on cqueues: a call made in a coroutine of a controller waits as cqueues' own calls do.
-- `authgear.configure { host = require "authgear.host.cqueues", ... }`; see docs/event-loops.md.
-- Must never keep a controller going when nothing of ours is under way: its pump, a coroutine in it, ends then.
local cqueues = require "cqueues"
local condition = require "cqueues.condition"
local loop = require "authgear.host.loop"
local scheduler = require "authgear.scheduler"

local NAME = "authgear.host.cqueues"

local groups = setmetatable({}, { __mode = "k" }) -- controller -> group
local attached = setmetatable({}, { __mode = "v" }) -- [1]: the controller for work that begins outside of all

local function has_work(group)
  return group.waiting > 0 or group.ready[1] or scheduler.pending()
end

-- Until there is something to do.
local function rest(state)
  local descriptor, seconds = state.descriptor, state.seconds
  if descriptor then
    cqueues.poll(state.changed, { pollfd = descriptor, events = "r" }, seconds)
  else
    cqueues.poll(state.changed, seconds)
  end
end

-- The coroutine in the controller that calls us when there is something to do.
local function work(state, group)
  local ok, raised
  repeat
    ok, raised = pcall(group.pump, group)
    if ok and has_work(group) then
      rest(state)
    end
  until not ok or not has_work(group)
  state.pumping = false
  if not ok then
    error(raised, 0)
  end
end

-- A ticket knows its coroutine by a condition of its own.
local function park(ticket)
  ticket.who:wait()
end

local function unpark(ticket)
  ticket.who:signal()
end

-- Must not hold the controller, or it would never be collected.
local function new_group()
  local state = { changed = condition.new() }
  local group
  group = loop.group {
    state = state, park = park, unpark = unpark,
    arm = function(seconds, descriptor)
      state.seconds, state.descriptor = seconds, descriptor
      state.changed:signal()
    end,
    disarm = function()
      state.seconds, state.descriptor = nil, nil
      state.changed:signal()
    end,
  }
  return group
end

local function group_of(controller)
  local group = groups[controller]
  if not group then
    group = new_group()
    groups[controller] = group
  end
  return group
end

-- Has the controller call us.
local function start_pump(controller, group)
  local state = group.loop.state
  if not state.pumping then
    state.pumping = true
    controller:wrap(work, state, group)
  end
end

scheduler.on_work(function()
  local controller = cqueues.running() or attached[1]
  if controller and scheduler.pending() then
    start_pump(controller, group_of(controller))
  end
  for _, group in pairs(groups) do
    if group.loop.state.pumping then
      group:arm()
    end
  end
end)

local function wait(start, seconds)
  local controller = cqueues.running()
  if not controller then
    error(NAME .. ": this has to wait, so call it in a coroutine of a controller, or in authgear.async", 0)
  end
  local group = group_of(controller)
  start_pump(controller, group)
  group:await(condition.new(), start, seconds)
end

local M = loop.host(wait)

--- Names the controller that moves on what begins outside of all of them: authgear.async before its loop runs.
function M.attach(controller)
  attached[1] = controller
  if scheduler.pending() then
    start_pump(controller, group_of(controller))
  end
end

return M
