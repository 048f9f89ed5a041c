-- A made-up host: tasks that are resumed in a random but repeatable order, on a clock that stands still but for its
-- timers. Everything that can wait does. Must never wait in real time, and never resume what was thrown away.
local yield_host = {}
local Host = {}
Host.__index = Host

-- The same numbers on every Lua (Park and Miller).
local function generator(seed)
  local state = seed % 2147483646 + 1
  return function(n)
    state = state * 16807 % 2147483647
    return state % n + 1
  end
end

--- The host table for configure is .host, the clocks are .clock.
function yield_host.new(seed)
  local self = setmetatable({ random = generator(seed), time = 1000, ready = {}, timers = {}, tasks = {}, steps = 0 }, Host)
  self.host = {
    sleep = function(seconds)
      self:sleep(seconds)
    end,
    spawn = function(fn)
      self:go("spawned", fn).spawned = true
    end,
    await = function(start, seconds)
      return self:await(start, seconds)
    end,
  }
  self.clock = {
    monotonic = function()
      return self.time
    end,
    wall = function()
      return 1700000000 + self.time
    end,
  }
  return self
end

-- A heap of timers, the earliest first.
local function push_timer(timers, timer)
  local i = #timers + 1
  while i > 1 and timers[math.floor(i / 2)].at > timer.at do
    timers[i] = timers[math.floor(i / 2)]
    i = math.floor(i / 2)
  end
  timers[i] = timer
end

local function pop_timer(timers)
  local first, last = timers[1], table.remove(timers)
  local n, i = #timers, 1
  if first == last then
    return first
  end
  while 2 * i <= n do
    local child = 2 * i
    if child < n and timers[child + 1].at < timers[child].at then
      child = child + 1
    end
    if timers[child].at >= last.at then
      break
    end
    timers[i] = timers[child]
    i = child
  end
  timers[i] = last
  return first
end

local function wake(self, task, ticket)
  if task.ticket == ticket and not task.over then
    task.ticket = nil
    self.ready[#self.ready + 1] = task
  end
end

-- Yields until it is woken by its ticket; raises what was thrown at it.
local function wait(self, task)
  local thrown = coroutine.yield()
  self.current = task
  if thrown ~= nil then
    error(thrown, 0)
  end
end

local function new_ticket(task)
  task.ticket = {}
  return task.ticket
end

function Host:sleep(seconds)
  local task = assert(self.current, "sleep outside a task")
  push_timer(self.timers, { at = self.time + seconds, task = task, ticket = new_ticket(task) })
  wait(self, task)
end

--- Lets others run for a moment: no time, or up to `longest` seconds.
function Host:pause(longest)
  if not self.current then
    return
  end
  local seconds = longest and self.random(1000) / 1000 * longest or 0
  self:sleep(seconds)
end

function Host:await(start, seconds)
  local task = assert(self.current, "await outside a task")
  local ticket, woken = new_ticket(task), false
  start(function()
    if not woken then
      woken = true
      wake(self, task, ticket)
    end
  end)
  if seconds then
    push_timer(self.timers, { at = self.time + seconds, task = task, ticket = ticket })
  end
  wait(self, task)
  return woken
end

--- Makes a task. Its results are in .results, what it raised in .raised.
function Host:go(name, fn)
  local task = { name = name }
  task.thread = coroutine.create(function()
    task.results = { n = 0 }
    local function keep(...)
      task.results = { n = select("#", ...), ... }
    end
    keep(fn())
  end)
  self.tasks[#self.tasks + 1] = task
  self.ready[#self.ready + 1] = task
  return task
end

--- Throws a task's coroutine away.
function Host:drop(task) -- luacheck: no self
  task.over, task.cancelled, task.thread = true, true, nil
end

--- Raises an error where the task waits.
function Host:throw(task, what)
  if not task.over and task.ticket then
    task.thrown, task.ticket, task.cancelled = what, nil, true
    self.ready[#self.ready + 1] = task
  end
end

local function step(self, task)
  if task.over then
    return
  end
  local thrown = task.thrown
  task.thrown = nil
  self.current = task
  local ok, raised = coroutine.resume(task.thread, thrown)
  self.current = nil
  if coroutine.status(task.thread) == "dead" then
    task.over = true
    if not ok then
      task.failed, task.raised = true, raised
    end
  end
end

-- Moves the clock to the next timer that somebody still waits for. False: there is none.
local function tick(self)
  while true do
    local timer = pop_timer(self.timers)
    if not timer then
      return false
    elseif timer.task.ticket == timer.ticket and not timer.task.over then
      self.time = math.max(self.time, timer.at)
      wake(self, timer.task, timer.ticket)
      while self.timers[1] and self.timers[1].at <= self.time do
        timer = pop_timer(self.timers)
        wake(self, timer.task, timer.ticket)
      end
      return true
    end
  end
end

--- Resumes tasks in random order until all are over. between(host) is called before each step. Raises when somebody
--- waits for ever, naming who.
function Host:run(between)
  repeat
    while #self.ready > 0 do
      local i = self.random(#self.ready)
      local task = self.ready[i]
      self.ready[i] = self.ready[#self.ready]
      self.ready[#self.ready] = nil
      if between then
        between(self)
      end
      self.steps = self.steps + 1
      step(self, task)
    end
  until not tick(self)
  for _, task in ipairs(self.tasks) do
    if not task.over then
      error("waits for ever: " .. task.name, 0)
    end
  end
end

return yield_host
