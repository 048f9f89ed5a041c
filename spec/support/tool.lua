-- The command-line tool as a process, with a home of its own: run to its end, or talked to while it runs, with or without a
-- terminal. Must never leave a process behind: what was started is ended by its number.
local core = require "authgear.core"
local files = require "spec.support.files"
local program = require "spec.support.program"
local with = require "spec.support.with"

local tool = {}
local Home = {}
Home.__index = Home

--- A home: an empty directory, in which the tool's files go. home:remove() ends it.
---@param env table<string, string>|nil more environment
function tool.home(env)
  local dir = files.temp_dir()
  local all = with({ HOME = dir, XDG_CONFIG_HOME = dir .. "/config", XDG_DATA_HOME = dir .. "/data", TERM = "xterm" }, env)
  return setmetatable({ dir = dir, env = all, lua = program.interpreter() }, Home)
end

function Home:remove()
  files.remove(self.dir)
end

--- The command line that runs the tool with these arguments: for a shell.
function Home:command(args, env)
  local words = { program.environment(with(self.env, env), { "NO_COLOR", "DBUS_SESSION_BUS_ADDRESS" }) }
  words[#words + 1] = files.quote(self.lua) .. " bin/authgear"
  for _, arg in ipairs(args) do
    words[#words + 1] = files.quote(arg)
  end
  return table.concat(words, " ")
end

--- Runs it to its end.
---@param args string[]
---@param options { env: table|nil, input: string|nil, shell: string|nil }|nil shell: what is put behind the command
---@return integer status
---@return string out
---@return string err
function Home:run(args, options)
  options = options or {}
  local input = "/dev/null"
  if options.input then
    input = self.dir .. "/input"
    files.write(input, options.input)
  end
  local out, err = self.dir .. "/out", self.dir .. "/err"
  local status = files.sh(("%s <%s >%s 2>%s %s; echo $?"):format(self:command(args, options.env), files.quote(input),
    files.quote(out), files.quote(err), options.shell or ""))
  return tonumber(status), files.read(out), files.read(err)
end

local Running = {}
Running.__index = Running

--- Starts it; with `terminal`, on one (then all that it prints is in `out`).
function Home:start(args, options)
  options = options or {}
  local fifo, out, err, status = self.dir .. "/fifo", self.dir .. "/out", self.dir .. "/err", self.dir .. "/status"
  files.sh("rm -f", fifo, out, err, status)
  files.sh("mkfifo -m 600", fifo)
  files.sh("touch", out, err)
  local command = self:command(args, options.env)
  if options.terminal then
    command = "script -qfec " .. files.quote(command) .. " /dev/null"
  end
  -- A status that is in the file is all there: renamed.
  files.sh(("( ( %s; echo $? >%s.new; mv %s.new %s ) <%s >%s 2>%s & ) >/dev/null </dev/null 2>&1"):format(command, status,
    status, status, fifo, out, err))
  return setmetatable({ input = assert(io.open(fifo, "r+")), out = out, err = err, status = status }, Running)
end

function Running:say(text)
  self.input:write(text)
  self.input:flush()
end

--- All that it has printed on both so far.
function Running:printed()
  return files.read(self.out) .. files.read(self.err)
end

local function poll(what, look)
  local last = core.now() + 60
  while true do
    local value = look()
    if value then
      return value
    elseif core.now() > last then
      error("waited in vain for " .. what(), 3)
    end
    core.sleep(0.02)
  end
end

--- Waits until it has printed what the pattern finds.
function Running:hear(pattern)
  return poll(function()
    return pattern .. " in: " .. self:printed()
  end, function()
    return self:printed():match(pattern)
  end)
end

--- Waits for its end: exit status and what it printed.
function Running:wait()
  local text = poll(function()
    return "the end; printed: " .. self:printed()
  end, function()
    return files.read(self.status)
  end)
  self.input:close()
  return tonumber(text), files.read(self.out), files.read(self.err)
end

return tool
