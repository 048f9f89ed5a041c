-- The engine against spec/support/raw_server, in few words. Must never judge what comes back.
local curl = require "authgear.curl"

local M = {}

local World = {}
World.__index = World

--- settings: of curl.settings, for all requests made through it.
function M.new(server, settings)
  return setmetatable({ server = server, engine = curl.engine(),
    settings = curl.settings(settings or { proxy = "", ca_file = server.ca }) }, World)
end

--- "/path", "https:/path", or a whole URL.
function World:url(path)
  if path:find("^https:/[^/]") then
    return "https://localhost:" .. self.server.tls .. path:sub(7)
  end
  return path:find("^/") and self.server:url("http", path) or path
end

--- A job. o: the fields of a request but the URL.
function World:submit(path, o)
  o = o or {}
  return assert(self.engine:submit(self.settings, nil, o.method or "GET", self:url(path), o.headers, o.body, o.timeout or 600,
    o.connect_timeout, o.max_body, o.fresh, o.secret, o.source, o.source_length, o.sink))
end

--- Waits until the jobs are over: all that were given.
function World:finish(...)
  local left = {}
  for _, job in ipairs { ... } do
    left[job:id()] = job
  end
  while next(left) do
    local id = self.engine:ready()
    if not id then
      self.engine:wait(1)
    elseif left[id] then
      local event = left[id]:step()
      if event == "done" or event == "error" then
        left[id] = nil
      end
    end
  end
end

--- So many at once, to their end: 200 each.
function World:all(count, path, o)
  local jobs = {}
  for i = 1, count do
    jobs[i] = self:submit(path, o)
  end
  self:finish((table.unpack or unpack)(jobs))
  for _, job in ipairs(jobs) do
    assert(job:answer() == 200)
    job:close()
  end
end

--- To the end: what job:answer gives.
function World:get(path, o)
  local job = self:submit(path, o)
  self:finish(job)
  local a, b, c, d, e = job:answer()
  job:close()
  return a, b, c, d, e
end

return M
