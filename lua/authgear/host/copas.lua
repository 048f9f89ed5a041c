--- The host for programs on copas (1.x, which Debian has): a call made in one of its threads waits by yielding to it.
-- `authgear.configure { host = require "authgear.host.copas", ... }`; see docs/event-loops.md.
-- Must never need anything of copas that it does not show: a thread waits in what looks like one of its sets of sockets,
-- the engine's descriptor in what looks like a socket.
local copas = require "copas"
local loop = require "authgear.host.loop"
local scheduler = require "authgear.scheduler"

local group
local seconds_left -- until pump is to be called; nil: no such time
local listening -- is a thread of ours waiting for the descriptor?

-- A "socket" that is readable when the engine has news. LuaSocket's select asks for its descriptor each time.
local news = { getfd = function()
  return scheduler.descriptor() or -1
end, dirty = function()
  return false
end, close = function() end }

function news:receive()
  if self.waited then
    return "news"
  end
  self.waited = true
  return nil, "timeout"
end

local function listen()
  news.waited = false
  copas.receive(news)
  listening = false
end

local adapter = {}

function adapter.arm(seconds, descriptor)
  seconds_left = seconds
  if descriptor and not listening then
    listening = true
    copas.addthread(listen)
  end
end

function adapter.disarm()
  seconds_left = nil -- who listens may go on: copas 1.x has no end that it could keep away
end

-- What copas puts a thread into that yields, where it would put one that waits for a socket. Which thread that is only
-- copas knows for sure: on Lua 5.1 coxpcall may run what calls us in a coroutine of its own.
local set = { insert = function() end, push = function(_, ticket, co)
  ticket.who = co
end }

function adapter.park(ticket)
  coroutine.yield(ticket, set)
end

-- By addthread, so that an error gets to the thread's own handler.
function adapter.unpark(ticket)
  local co = ticket.who -- nil: what called us yielded to a coroutine of the program's, not to copas
  if co and coroutine.status(co) == "suspended" then
    copas.addthread(co)
  end
end

group = loop.group(adapter)
scheduler.on_work(function()
  group:arm()
end)

-- copas 1.x has no timers: select waits as long as it was told. So it is told to wait no longer than we can.
local step = copas.step
function copas.step(timeout)
  group:arm() -- so that the time is counted from now
  local left = seconds_left
  if left and (not timeout or timeout < 0 or left < timeout) then
    timeout = left
  end
  local did = step(timeout)
  group:pump()
  return did
end

return loop.host(function(start, seconds)
  loop.coroutine "authgear.host.copas"
  group:await(nil, start, seconds)
end)
