-- A client under the yielding host, for specs that look at one moment of a call: its server, its storage, its events.
-- Must never judge beyond this: a lock that is held at the end is an error.
local authgear = require "authgear"
local fake_server = require "spec.support.fake_server"
local fake_storage = require "spec.support.fake_storage"
local with = require "spec.support.with"
local yield_host = require "spec.support.yield_host"

local LIFETIME = 100 -- seconds on the host's clock

local World = {}
World.__index = World

--- options: host (nil: blocks), and more of configure's
local function new_world(options)
  local host = yield_host.new(7)
  local world = setmetatable({ host = host, medium = fake_storage.medium(), events = {} }, World)
  world.server = fake_server.new { now = host.clock.monotonic, lifetime = LIFETIME, pause = function()
    host:pause(0.02)
  end }
  local storage = fake_storage.new(world.medium, function()
    host:pause()
  end)
  world.options = with({
    endpoint = world.server.endpoint, client_id = world.server.client_id, storage = storage, transport = world.server,
    host = host.host, clock = host.clock,
  }, options)
  world.client = assert(authgear.new(world.options))
  world.client:on_session_state_change(function(_, state, reason)
    world.events[#world.events + 1] = state .. " " .. reason
  end)
  return world
end

local function log_in(world)
  local request = assert(world.client:start_authentication { redirect_uri = world.server.redirect_uri })
  return assert(world.client:finish_authentication(world.server:visit(request.url)))
end

function World:go(fn, name)
  return self.host:go(name or "a task", fn)
end

function World:run()
  self.host:run()
  assert(self.medium.owner == nil, "the lock is held")
end

--- Runs fn in a task, with everything else, to the end; gives what it gave.
function World:in_task(fn)
  local task = self:go(fn)
  self:run()
  if task.failed then
    error(task.raised, 0)
  end
  return task.results[1], task.results[2]
end

local function logged_in(options)
  local world = new_world(options)
  world:in_task(function()
    return log_in(world)
  end)
  return world
end

function World:expire()
  self.host.time = self.host.time + LIFETIME
end

return { new = new_world, logged_in = logged_in, log_in = log_in, LIFETIME = LIFETIME }
