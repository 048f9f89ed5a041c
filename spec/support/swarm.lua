-- Many processes that share one stored session, and the hand that kills one of them every second: at times one that
-- holds the session's lock, while the server takes its time. Says what happened; must never judge it.

local authgear = require "authgear"
local core = require "authgear.core"
local files = require "spec.support.files"
local sdk = require "spec.support.sdk"

local swarm = {}

local HELD_FOR = 0.2 -- seconds: whoever holds the lock for longer waits for a slow server, and is killed
local AIM_AFTER = 0.3 -- seconds after a kill
local KILL_EVERY = 1 -- seconds
local GIVE_UP = 200 -- seconds

-- What befalls refresh requests; `skip`: after how many that none of the faults above, or this one, befell.
local FAULTS = {
  { skip = 1, kind = "hang" },
  { skip = 2, kind = "slow", when = "after", ms = 600 },
  { skip = 4, kind = "slow", when = "before", ms = 600 },
  { skip = 7, kind = "slow", when = "after", ms = 600 },
  { skip = 9, kind = "hang" },
  { skip = 11, kind = "slow", when = "after", ms = 600 },
  { times = 1e6, kind = "slow", when = "before", ms = 80 }, -- all others: so that many find the lock taken
}

local function wall_ms()
  local _, wall = core.now()
  return wall * 1000
end

local function start_worker(self, number)
  local words = {
    "echo $$; exec", files.quote(files.interpreter()), "spec/support/swarm_worker.lua", files.quote(self.dev.endpoint),
    files.quote(self.dev.app), self.client_id, files.quote(self.dir), files.quote(self.dir .. "/worker" .. number),
    files.quote(self.stop_path), tostring(self.pause), "2>>" .. files.quote(self.dir .. "/stderr"),
  }
  local pipe = assert(io.popen(table.concat(words, " "), "r"))
  self.workers[number] = { pipe = pipe, pid = assert(pipe:read "*l") }
end

-- Whose is the lock: a process id, or nil.
local function holder(self)
  local locks = files.read "/proc/locks"
  for pid, inode in locks:gmatch "FLOCK%s+ADVISORY%s+WRITE%s+(%d+)%s+%x+:%x+:(%d+)" do
    if inode == self.inode then
      return pid
    end
  end
end

local function stop_process(pid)
  files.sh("kill -STOP " .. pid)
  sdk.poll("a stopped process", function()
    return files.read("/proc/" .. pid .. "/stat"):match "%) [TZ]"
  end)
end

-- Stops a worker, sees whether it holds the lock and what is stored at that moment, kills it, and starts another.
local function kill(self, number)
  local worker = self.workers[number]
  stop_process(worker.pid)
  self.kills[#self.kills + 1] = {
    at = wall_ms(), held = holder(self) == worker.pid, token = sdk.refresh_token(files.read(self.record_path)),
  }
  files.sh("kill -KILL " .. worker.pid)
  worker.pipe:close()
  start_worker(self, number)
end

local function number_of(self, pid)
  for number, worker in ipairs(self.workers) do
    if worker.pid == pid then
      return number
    end
  end
end

local function log_in(self)
  sdk.log_in(self.dev, self.client)
end

-- Writes down each stored token once, and notices when the session is gone: then somebody logs in again.
local function look_at_record(self)
  local record = files.read(self.record_path)
  local token = sdk.refresh_token(record)
  local tokens = self.tokens
  if not token then
    self.losses[#self.losses + 1] = { at = wall_ms(), token = tokens[#tokens].token }
    log_in(self)
  elseif record ~= tokens.last then
    tokens.last = record
    tokens[#tokens + 1] = {
      token = token, received = tonumber(record:match '"received_wall_ms":(%d+)'),
      after_401 = record:find('"forced":1', 1, true) ~= nil,
    }
  end
end

-- One turn: kills whoever is due.
local function turn(self, now)
  local pid = holder(self)
  if pid ~= self.watched then
    self.watched, self.watched_since = pid, now
  end
  if pid and now - self.watched_since >= HELD_FOR and now - self.killed_at >= AIM_AFTER and number_of(self, pid) then
    kill(self, number_of(self, pid))
  elseif now - self.killed_at >= KILL_EVERY then
    kill(self, math.random(#self.workers))
  else
    return
  end
  self.killed_at = core.now()
end

local function stop_workers(self)
  files.write(self.stop_path, "")
  for _, worker in ipairs(self.workers) do
    worker.pipe:read "*a"
    worker.pipe:close()
  end
  self.workers = {}
end

-- What all workers wrote, in the order of time: { at, what, a, b, worker }.
local function read_logs(self)
  local lines = {}
  for number = 1, self.size do
    for line in (files.read(self.dir .. "/worker" .. number) or ""):gmatch "[^\n]+" do
      local at, what, a, b = line:match "^(%d+) (%a+) ?(%S*) ?(%S*)$"
      if at then -- a line that a kill cut short is none
        lines[#lines + 1] = { at = tonumber(at), what = what, a = a, b = b, worker = number }
      end
    end
  end
  table.sort(lines, function(x, y)
    return x.at < y.at
  end)
  return lines
end

-- Has as much happened as has to, or so little that it never will?
local function is_enough(self, seconds)
  local least = self.least
  if not least or seconds > GIVE_UP then
    return true
  end
  local fetched = (self.dev:counters().app or {}).ok or 0
  return #self.kills >= least.kills and fetched >= 1.1 * least.fetches
    and sdk.refreshes(self.dev, self.client_id) >= least.refreshes
end

-- For so long as was said, and on a slow machine until enough has happened.
local function kill_and_look(self, seconds)
  local began, look_again = core.now(), seconds
  repeat
    turn(self, core.now())
    look_at_record(self)
    core.sleep(0.002)
    self.seconds = core.now() - began
    local over = false
    if self.seconds >= look_again then
      over = is_enough(self, self.seconds)
      look_again = self.seconds + 1
    end
  until over
  self.ended = wall_ms()
end

--- Runs it. options: dev, client_id, seconds, size (16), pause (seconds between a worker's fetches), least (fetches, refreshes
--- and kills that there must have been before it ends).
---@return table what happened: lines (of the workers), kills, losses, tokens, log (of the server), stderr, seconds
function swarm.run(options)
  local self = {
    dev = options.dev, client_id = options.client_id, size = options.size or 16, pause = options.pause,
    least = options.least, dir = files.temp_dir(), workers = {}, kills = {}, losses = {}, tokens = {}, watched_since = 0,
  }
  self.stop_path, self.record_path = self.dir .. "/stop", sdk.record_path(self.dir)
  self.client = assert(sdk.client(self.dev, {
    client_id = self.client_id, storage = authgear.storage.file { dir = self.dir },
  }))
  log_in(self)
  self.inode = files.sh("stat -c %i", (self.record_path:gsub("%.json$", ".lock")))
  for _, fault in ipairs(FAULTS) do
    fault.target, fault.grant = "token", "refresh_token"
    self.dev:fault(fault)
  end
  look_at_record(self)
  local ok, err = pcall(function()
    for number = 1, self.size do
      start_worker(self, number)
    end
    self.killed_at = core.now()
    kill_and_look(self, options.seconds)
  end)
  stop_workers(self)
  self.lines, self.log = read_logs(self), self.dev:log { target = "token" }
  self.stderr = files.read(self.dir .. "/stderr") or ""
  self.client:close()
  files.remove(self.dir)
  if not ok then
    error(err, 0)
  end
  return self
end

return swarm
