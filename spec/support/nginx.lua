-- Starts a real nginx with the Lua module for specs: a directory of its own, a free port of 127.0.0.1, its error log at level
-- debug. It ends with the Lua state that started it, however that ends: a shell waits for the end of a pipe from here.
-- Must never end a process but by the number of one that it started.

local core = require "authgear.core"
local files = require "spec.support.files"
local http = require "spec.support.http"
local sdk = require "spec.support.sdk"
local socket = require "socket"
local with = require "spec.support.with"

local nginx = {}

-- Those that run, as keys.
local started = {}

--- Looks until it gives something true; raises after a minute.
nginx.wait = sdk.poll

local Nginx = {}
Nginx.__index = Nginx

local TEMPLATE = [[
${modules}
daemon off;
master_process on;
worker_processes ${workers};
worker_rlimit_core 0;
pid ${dir}/nginx.pid;
error_log ${dir}/error.log ${level};
${user}
${main}
events { worker_connections 2048; }
http {
  access_log off;
  lua_package_path "${lua_path}";
  lua_package_cpath "${lua_cpath}";
  lua_code_cache ${code_cache};
  client_body_temp_path ${dir}/body;
  proxy_temp_path ${dir}/proxy;
  fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi;
  scgi_temp_path ${dir}/scgi;
  ${http}
  server {
    listen 127.0.0.1:${port} ${listen};
    ${server}
  }
}
]]

local MODULES = { "ndk_http_module.so", "ngx_http_lua_module.so" }
local MODULE_DIRS = { "/usr/lib/nginx/modules", "/usr/share/nginx/modules", "/usr/lib64/nginx/modules" }

local function module_lines()
  for _, dir in ipairs(MODULE_DIRS) do
    if files.read(dir .. "/" .. MODULES[2]) then
      local lines = {}
      for i, name in ipairs(MODULES) do
        lines[i] = "load_module " .. dir .. "/" .. name .. ";"
      end
      return table.concat(lines, "\n")
    end
  end
  return "" -- built in
end

local function fill(template, values)
  return (template:gsub("%${([%w_]+)}", values)) -- what has no value stays: it may be nginx's own
end

--- A free port of 127.0.0.1, as of now.
function nginx.free_port()
  local listening = assert(socket.bind("127.0.0.1", 0))
  local _, port = listening:getsockname()
  listening:close()
  return port
end

-- A content handler for each path.
local function locations(handlers)
  local parts = {}
  for path, code in pairs(handlers or {}) do
    parts[#parts + 1] = ("location = %s { content_by_lua_block { %s } }"):format(path, code)
  end
  return table.concat(parts, "\n")
end

-- What stands in a file for users, made ready for a spec: its port is free, its files are in a directory of ours.
local function example(path, values)
  local text = assert(files.read(path), "no " .. path)
  local head = "daemon off; pid ${dir}/nginx.pid; error_log ${dir}/error.log ${level}; ${user}\n"
  local temp = "http {\n"
  for _, kind in ipairs { "client_body", "proxy", "fastcgi", "uwsgi", "scgi" } do
    temp = temp .. kind .. "_temp_path ${dir}/" .. kind .. ";\n"
  end
  text = text:gsub("load_module modules/[^\n]*\n", ""):gsub("http {\n", temp, 1)
  text = text:gsub("127.0.0.1:8080", "127.0.0.1:${port}")
  return fill("${modules}\n" .. head .. text, values)
end

local function configuration(options, dir, port)
  local root = (os.getenv "AUTHGEAR_ROOT" or ".")
  local values = {
    modules = module_lines(), workers = options.workers or 1, dir = dir, port = port, listen = options.listen or "",
    user = files.is_root() and "user root;" or "", level = options.level or "debug",
    lua_path = root .. "/?.lua;" .. package.path, lua_cpath = package.cpath, main = options.main or "",
    code_cache = options.code_cache == false and "off" or "on",
  }
  for name, value in pairs(options.values or {}) do
    values[name] = value
  end
  values.http = fill(options.http or "", values)
  values.server = fill((options.server or "") .. "\n" .. locations(options.locations), values)
  values.main = fill(values.main, values)
  if options.example then
    return example(options.example, values)
  end
  return fill(TEMPLATE, values)
end

local SCRIPT = [[nginx -p "$1" -c "$1/nginx.conf" >"$1/out" 2>&1 & pid=$!; cat >/dev/null; kill -TERM $pid 2>/dev/null; wait $pid]]

local function is_listening(port)
  local client = socket.connect("127.0.0.1", port)
  if client then
    client:close()
  end
  return client ~= nil
end

-- True when it listens, false when it ended.
local function wait_until_up(self)
  local last = core.now() + 30
  while core.now() < last do
    local pid = files.read(self.dir .. "/nginx.pid")
    if pid and pid:find "%d" and is_listening(self.port) then
      self.pid = tonumber(pid)
      return true
    elseif (files.read(self.dir .. "/out") or ""):find("emerg", 1, true) then
      return false
    end
    core.sleep(0.01)
  end
  return false
end

--- Starts one. Texts may hold ${port}, ${dir} and what stands in `values`.
---@param options { workers: integer|nil, main: string|nil, http: string|nil, server: string|nil,
--- locations: table<string, string>|nil, values: table|nil, code_cache: boolean|nil, level: string|nil, listen: string|nil,
--- example: string|nil, env: table<string, string>|nil } main, http and server: text for these blocks. locations: path -> Lua
--- code that answers it. example: a file with a whole configuration instead, which listens on 127.0.0.1:8080
function nginx.start(options)
  local self = setmetatable({ dir = files.temp_dir(true), port = nginx.free_port() }, Nginx)
  self.url = "http://127.0.0.1:" .. self.port
  started[self] = true
  files.write(self.dir .. "/nginx.conf", configuration(options, self.dir, self.port))
  local env = { "exec env" }
  for name, value in pairs(options.env or {}) do
    env[#env + 1] = files.quote(name .. "=" .. fill(value, { port = self.port }))
  end
  self.pipe = assert(io.popen(table.concat(env, " ") .. " sh -c " .. files.quote(SCRIPT) .. " sh " .. files.quote(self.dir), "w"))
  if not wait_until_up(self) then
    local out = tostring(files.read(self.dir .. "/out")) .. tostring(files.read(self.dir .. "/error.log")):sub(-2000)
    self:stop()
    error("nginx did not start: " .. out, 2)
  end
  return self
end

--- The numbers of the worker processes, those that are ending left out.
function Nginx:workers()
  local pids = {}
  local out = files.sh(("ps -o pid=,args= --ppid %d || true"):format(self.pid))
  for line in out:gmatch "[^\n]+" do
    if line:find("worker process", 1, true) and not line:find("shutting down", 1, true) then
      pids[#pids + 1] = tonumber(line:match "%d+")
    end
  end
  return pids
end

--- Stops all that were started and are not stopped yet.
function nginx.stop_all()
  for n in pairs(started) do
    n:stop()
  end
end

--- Is there a process of that number, which is no zombie?
function nginx.is_alive(pid)
  local status = files.read("/proc/" .. pid .. "/status")
  return status ~= nil and not status:find "State:%s+Z"
end

local function signal(name, pid)
  files.sh(("kill -%s %d || true"):format(name, pid))
end

--- New workers with the configuration as it stands now; the old ones end when they have nothing to do.
function Nginx:reload()
  local old = self:workers()
  signal("HUP", self.pid)
  nginx.wait("new workers", function()
    local now = self:workers()
    return #now > 0 and now[1] ~= old[1] and now[#now] ~= old[#old]
  end)
  return old
end

--- SIGKILL for a worker (any, unless one is named); the master makes a new one.
function Nginx:kill_worker(pid)
  pid = pid or self:workers()[1]
  signal("KILL", pid)
  return pid
end

--- What the error log says.
function Nginx:log()
  return files.read(self.dir .. "/error.log") or ""
end

--- Lines of the error log at level error and worse.
function Nginx:errors()
  local lines = {}
  for line in self:log():gmatch "[^\n]+" do
    if line:find "%[error%]" or line:find "%[crit%]" or line:find "%[alert%]" or line:find "%[emerg%]" then
      lines[#lines + 1] = line
    end
  end
  return lines
end

--- The same without those that have one of these words in them.
function Nginx:errors_but(words)
  local lines = {}
  for _, line in ipairs(self:errors()) do
    local known = false
    for _, word in ipairs(words) do
      known = known or line:find(word, 1, true) ~= nil
    end
    if not known then
      lines[#lines + 1] = line
    end
  end
  return lines
end

--- One request: { status, headers, body }, or nil and why.
function Nginx:get(path, headers, options)
  return http.request(with({ url = self.url .. path, headers = headers }, options))
end

--- Tells it to end when all requests are answered (SIGQUIT), and waits for that; raises when a worker hangs.
function Nginx:quit(seconds)
  signal("QUIT", self.pid)
  nginx.wait("nginx's end", function()
    return not nginx.is_alive(self.pid)
  end, seconds)
end

--- Ends it and waits for it, and removes its directory.
function Nginx:stop()
  started[self] = nil
  if self.pipe then
    self.pipe:close()
    self.pipe = nil
    files.remove(self.dir)
  end
end

return nginx
