-- Starts spec/support/raw_server.mjs and asks it what it has seen. Must never be left running: `stop`, or the end of this process.
local program = require "spec.support.program"

local M = {}

local Server = {}
Server.__index = Server

local function here()
  return debug.getinfo(1, "S").source:match("^@(.*)[/\\][^/\\]*$") or "."
end

--- Starts one; gives its ports as fields (numbers), and `ca`, the file of its certificate authority.
function M.start()
  local pipe = assert(io.popen("exec node " .. here() .. "/raw_server.mjs", "r"))
  local line = assert(pipe:read("*l"), "the raw server did not start (is node there?)")
  local server = setmetatable({ pipe = pipe }, Server)
  for name, value in line:gmatch("(%S+)=(%S+)") do
    server[name] = tonumber(value) or value
  end
  server.ask = require("authgear.transport.curl").new({ proxy = "" })
  return server
end

function Server:url(port, path)
  return "http://127.0.0.1:" .. self[port] .. path
end

--- What it has counted so far.
function Server:stats()
  local res = assert(self.ask:send({ method = "GET", url = self:url("control", "/stats"), timeout = 5 }))
  local out = {}
  for name, value in res.body:gmatch("([%w_]+)=([^\n]*)") do
    out[name] = tonumber(value) or value
  end
  return out
end

--- Runs a script as a program of its own, which a sanitizer watches too where one is at work: what it printed, and its status.
--- vars: environment for it.
function M.run(script, vars)
  return program.run(script, { env = vars, lua = os.getenv "AUTHGEAR_LUA", shell = "2>&1 </dev/null; echo status $?" })
end

function Server:stop()
  self.ask:send({ method = "GET", url = self:url("control", "/quit"), timeout = 5 })
  self.ask:close()
  self.pipe:close()
end

return M
