-- Directories to throw away, what the shell knows of a file, and Lua processes of our own to talk to.
-- Must never touch anything outside the directories it made.

local files = {}

function files.quote(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

--- Runs a shell command; raises when it fails. Returns what it printed, without the last line break.
function files.sh(command, ...)
  local words = { command }
  for i = 1, select("#", ...) do
    words[#words + 1] = files.quote((select(i, ...)))
  end
  local pipe = assert(io.popen("(" .. table.concat(words, " ") .. ") 2>&1 && echo ok || echo failed", "r"))
  local out = pipe:read("*a")
  pipe:close()
  local text, verdict = out:match("^(.-)\n?(%a+)\n$")
  if verdict ~= "ok" then
    error(command .. ": " .. tostring(text), 2)
  end
  return text
end

--- A new directory, 0700; files.remove ends it. In memory, if asked for and if there is such a place: for specs that
--- write thousands of files and do not care about the medium.
function files.temp_dir(in_memory)
  if in_memory then
    return files.sh("mktemp -d -p /dev/shm 2>/dev/null || mktemp -d")
  end
  return files.sh("mktemp -d")
end

function files.remove(dir)
  assert(dir:match("^/.+/tmp%.%w+$") or dir:match("^/tmp/tmp%.%w+$"), "not a directory of ours")
  files.sh("rm -rf --", dir)
end

function files.write(path, bytes)
  local f = assert(io.open(path, "wb"))
  assert(f:write(bytes))
  f:close()
end

function files.read(path)
  local f = io.open(path, "rb")
  if not f then
    return nil
  end
  local bytes = f:read("*a")
  f:close()
  return bytes
end

--- Permissions as octal digits ("600"), of a link itself.
function files.mode(path)
  return files.sh("stat -c %a --", path)
end

--- The names in a directory, sorted; nil when there is no such directory.
function files.list(dir)
  local names = {}
  local ok, out = pcall(files.sh, "ls -A --", dir)
  if not ok then
    return nil
  end
  for name in out:gmatch("[^\n]+") do
    names[#names + 1] = name
  end
  table.sort(names)
  return names
end

function files.is_root()
  return files.sh("id -u") == "0"
end

--- How many descriptors this process has open.
function files.descriptors()
  collectgarbage() -- what nobody holds any more does not count
  collectgarbage()
  return require("authgear.file").test.descriptors()
end

--- The Lua that runs this.
function files.interpreter()
  local lowest = 0
  while arg and arg[lowest - 1] do
    lowest = lowest - 1
  end
  if lowest < 0 then
    return arg[lowest]
  end
  return rawget(_G, "jit") and "luajit" or "lua" .. _VERSION:match("%d%.%d")
end

local Child = {}
Child.__index = Child

--- Starts another process with this Lua and this search path, which runs `code`.
--- In it, `say(text)` sends a line here and `hear()` waits for one from here.
function files.child(code)
  local fifo = files.sh("mktemp -u")
  files.sh("mkfifo -m 600", fifo)
  local script = os.tmpname()
  local head = ("package.path, package.cpath = %q, %q\n"):format(package.path, package.cpath)
  head = head .. "local function say(text) io.stdout:write(tostring(text), '\\n') io.stdout:flush() end\n"
  head = head .. "local function hear() return io.stdin:read('*l') end\n"
  head = head .. "say(require('authgear.file').test.pid())\n"
  files.write(script, head .. code)
  local self = setmetatable({ fifo = fifo, script = script }, Child)
  self.out = assert(io.popen(("exec %s %s <%s"):format(files.quote(files.interpreter()), files.quote(script),
    files.quote(fifo)), "r"))
  -- For reading too: then writing to a child that is gone is no SIGPIPE.
  self.input = assert(io.open(fifo, "r+"))
  self.pid = assert(self:hear(), "the child did not start")
  return self
end

function Child:hear()
  return self.out:read("*l")
end

function Child:say(text)
  self.input:write(text, "\n")
  self.input:flush()
end

local function gone(self)
  self.input:close()
  self.out:read("*a")
  self.out:close()
  os.remove(self.fifo)
  os.remove(self.script)
end

--- Ends it with SIGKILL and waits until it is gone.
function Child:kill()
  files.sh("kill -KILL", self.pid)
  gone(self)
end

--- Has it come to its end, and waits until it is gone.
function Child:finish()
  -- A line, for the end alone would not do: children started later, and we, can write to the pipe.
  self:say("")
  gone(self)
end

return files
