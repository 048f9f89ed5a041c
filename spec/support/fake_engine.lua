-- An engine whose jobs have news when the test says so. Must never wait.
local M = {}

local Job = {}
Job.__index = Job

function Job:id()
  return self.number
end

function Job:tag(number)
  self.tagged = number
end

function Job:close()
  self.closed = true
end

local Engine = {}
Engine.__index = Engine

function M.new()
  return setmetatable({ jobs = 0, news = {}, waits = 0, told = {} }, Engine)
end

function Engine:job()
  self.jobs = self.jobs + 1
  return setmetatable({ number = self.jobs }, Job)
end

function Engine:say(job)
  table.insert(self.news, job)
end

function Engine:patient(patient)
  table.insert(self.told, patient)
end

function Engine:ready()
  local job = table.remove(self.news, 1)
  if job then
    return job.number, job.tagged
  end
end

function Engine:wait()
  self.waits = self.waits + 1
  if self.on_wait then
    self.on_wait(self)
  end
  return self.news[1] ~= nil
end

function Engine:descriptor() -- luacheck: no self
  return 42
end

return M
