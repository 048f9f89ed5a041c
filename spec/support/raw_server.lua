-- Starts spec/support/raw_server.mjs and asks it what it has seen. Must never be left running: `stop`, or the end of this process.
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

--- This process's number (Linux).
function M.pid()
  local f = assert(io.open("/proc/self/stat", "r"))
  local pid = f:read("*n")
  f:close()
  return math.floor(pid)
end

--- How many descriptors this process has open, those of collectable files closed first.
function M.descriptors()
  collectgarbage()
  collectgarbage()
  local n, pipe = 0, assert(io.popen("ls /proc/" .. M.pid() .. "/fd"))
  for _ in pipe:lines() do
    n = n + 1
  end
  pipe:close()
  return n
end

--- Runs a script in a new interpreter of the same kind (AUTHGEAR_LUA, where that is set); gives what it printed. vars: NAME=value for it.
function M.run(script, vars)
  local name = os.tmpname()
  local f = assert(io.open(name, "w"))
  f:write("package.path = ", ("%q"):format(package.path), " package.cpath = ", ("%q"):format(package.cpath), "\n", script)
  f:close()
  local exe = os.getenv("AUTHGEAR_LUA") or assert(io.popen("readlink /proc/" .. M.pid() .. "/exe")):read("*l")
  local env = {}
  for unset in ("LUA_INIT CURL_CA_BUNDLE SSL_CERT_FILE http_proxy https_proxy HTTPS_PROXY all_proxy ALL_PROXY no_proxy NO_PROXY")
    :gmatch("%S+") do
    env[#env + 1] = "-u " .. unset
  end
  for k, v in pairs(vars or {}) do
    env[#env + 1] = k .. "='" .. v .. "'"
  end
  local pipe = assert(io.popen("env " .. table.concat(env, " ") .. " " .. exe .. " " .. name .. " 2>&1; echo status $?"))
  local out = pipe:read("*a")
  pipe:close()
  os.remove(name)
  return out
end

function Server:stop()
  self.ask:send({ method = "GET", url = self:url("control", "/quit"), timeout = 5 })
  self.ask:close()
  self.pipe:close()
end

return M
