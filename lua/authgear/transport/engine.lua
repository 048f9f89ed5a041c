--- Requests that go out through the engine: its thread does the work, the caller waits where it can be suspended: a task of
-- the scheduler, or a coroutine of a loop that an adapter knows (host/). The transport on libcurl sends by this when it is
-- called from one.
-- Must never wait in the thread.
local drive = require "authgear.transport.drive"
local protect = require "authgear.protect"
local scheduler = require "authgear.scheduler"

local park = scheduler.park

local POLL = 0.1 -- seconds between two looks at `cancelled`

local M = {}

---@class authgear.transport.engine what a transport's requests need
---@field engine userdata
---@field settings userdata
---@field host authgear.Host|nil the adapter, for coroutines that are not the scheduler's
---@field await fun(self, job: userdata, seconds: number|nil) how such a coroutine waits for news of a job
local Engine = {}
Engine.__index = Engine

-- A coroutine of a loop has its adapter wait. News that came before are not lost: the job is stepped first.
local function await_in_loop(self, job, seconds)
  local ok, raised = protect(self.host.await, function(wake)
    scheduler.watch(job, wake)
  end, seconds)
  scheduler.unwatch(job)
  if not ok then
    error(raised, 0)
  end
end

local function wait(job, req, self)
  local task = scheduler.current
  if not task then
    self.await(self, job, req.cancelled and POLL or nil)
  elseif req.cancelled then
    scheduler.doze(POLL)
  else
    park()
  end
end

local function cancelled(sent)
  return nil, "cancelled", "the task was cancelled", false, sent
end

local function adopt(task, job)
  if task then
    scheduler.adopt(job)
  end
end

local function release(task, job)
  if task then
    scheduler.release(task, job)
  end
end

local function released(task, job, ...)
  release(task, job)
  return ...
end

-- Is the caller still to send something? In a task that may be in the next run.
local function may_begin(task)
  if not task then
    return true
  end
  if scheduler.last then
    scheduler.breathe()
  end
  return not (task.cancelled and scheduler.refuses(task))
end

local function submit(self, req)
  return self.engine:submit(self.settings, nil, req.method, req.url, req.headers, req.body, req.timeout, req.connect_timeout,
    req.max_body, req.fresh, req.secret, req.source ~= nil, req.source_length, req.sink ~= nil)
end

--- As authgear.transport.curl's.
---@param req authgear.transport.request
function Engine:send(req)
  local task = scheduler.current
  if not may_begin(task) then
    return cancelled(false)
  end
  local job, code, message, retryable, sent = submit(self, req)
  if not job then
    return nil, code, message, retryable, sent
  end
  adopt(task, job)
  return released(task, job, drive.run(job, req, nil, wait, self))
end

local function exchange_in_loop(self, ...)
  local job, code, message, retryable, sent = self.engine:submit(self.settings, nil, ...)
  if not job then
    return nil, code, message, retryable, sent
  end
  local status, headers, body, version = job:take()
  while status == "wait" do
    self.await(self, job)
    status, headers, body, version, sent = job:take()
  end
  return status, headers, body, version, sent
end

--- As authgear.transport.curl's. Nothing of the caller's is called here, and what is left behind by a task that ends in
--- the middle is closed with it. Each function that is called reads some ten lines of memory, cold in a frame: so there are few.
function Engine:exchange(...)
  local task = scheduler.current
  if not task then
    return exchange_in_loop(self, ...)
  elseif not may_begin(task) then
    return cancelled(false)
  end
  local job, code, message, retryable, sent = self.engine:submit(self.settings, task.number, ...)
  if not job then
    return nil, code, message, retryable, sent
  elseif task.job then
    scheduler.keep(task, job)
  else
    task.job = job
  end
  local status, headers, body, version
  repeat
    park()
    if task.cancelled then
      return cancelled(true) -- the job is closed already
    end
    status, headers, body, version, sent = job:take()
  until status ~= "wait"
  if task.job == job then
    task.job = nil
  else
    scheduler.release(task, job)
  end
  return status, headers, body, version, sent
end

---@class authgear.transport.engine.prepared : authgear.transport.prepared
local Prepared = {}
Prepared.__index = Prepared

function Prepared:perform()
  local job = self.job
  local task = scheduler.current
  adopt(task, job)
  while job:step() == "wait" do
    if task then
      park()
    else
      local engine = self.engine
      engine.await(engine, job)
    end
  end
  release(task, job)
  return true
end

function Prepared:result()
  return self.job:result()
end

function Prepared:close()
  self.job:close()
end

--- As authgear.transport.curl's. The job is under way at once.
---@param req authgear.transport.request without source and sink
function Engine:prepare(req)
  local job, code, message, retryable, sent = submit(self, req)
  if not job then
    return nil, code, message, retryable, sent
  end
  return setmetatable({ job = job, engine = self }, Prepared)
end

--- What a transport's requests through the engine go by; the first of a Lua state makes the engine.
---@param curl table the module authgear.curl
---@param options authgear.transport.curl.options
---@param host authgear.Host|nil
---@return authgear.transport.engine|nil
---@return string|nil code
---@return string|nil message
---@return boolean|nil retryable
function M.new(curl, options, host)
  local engine, code, message, retryable = curl.engine()
  if not engine then
    return nil, code, message, retryable
  end
  local settings
  settings, code, message, retryable = curl.settings {
    proxy = options.proxy, no_proxy = options.no_proxy, ca_file = options.ca_file,
  }
  if not settings then
    return nil, code, message, retryable
  end
  scheduler.engine = engine
  return setmetatable({ engine = engine, settings = settings, host = host,
    await = host and host.await_job or await_in_loop }, Engine)
end

return M
